"""Two services, or two environments of one, on one root of a real host: neither touches what belongs to the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import SECOND, THIRD, WHY, marks, quick, released
from tests.support.untouched import refusal
from tests.support.waiting import begin_and_reach, go_on, is_open, kill_for_good, lingering

Deploy = Callable[..., Deployed]


@pytest.fixture
def other(rollback_ops: RollbackOps) -> RollbackOps:
    """The command in another directory, with settings of its own."""
    directory = rollback_ops.directory / "other"
    directory.mkdir()
    return RollbackOps(directory, rollback_ops.secrets)


def beside(service: Deployed) -> str:
    """Start a second service in the root, with a link of its own to the same releases. Returns its settings."""
    host, name, port = service.host, f"{service.name}-b", service.port + 5
    unit = host.read(f"/etc/systemd/system/{service.name}.service").replace("/current", "/current-b")
    unit = "\n".join(line for line in unit.splitlines() if not line.startswith("ExecStop="))
    host.write(f"/etc/systemd/system/{name}.service", unit.replace(str(service.port), str(port)))
    host.run(f"cp -a {service.root}/current {service.root}/current-b; systemctl daemon-reload; systemctl start {name}")
    text = quick(service, units=[name], current="current-b", checks={})
    return text.replace(f'[services."{service.name}"]', f'[services."{name}"]')


def live_beside(service: Deployed) -> str:
    return service.host.run(f"basename $(readlink {service.root}/current-b)").stdout.strip()


def test_what_one_service_left_open_is_neither_seen_nor_finished_by_the_other(
    rollback_ops: RollbackOps, other: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))
    other.settings(beside(service))
    interrupted = begin_and_reach(rollback_ops, service, "stop")
    kill_for_good(service)
    interrupted.kill()
    go_on(service)

    for command in (("resume", "prod"), ("rollback", "prod", *WHY)):
        ended = other(*command, "--json")
        assert (ended.code, is_open(service), service.live()) == (0, True, THIRD), ended.err
        assert not any("interrupted" in warning for warning in ended.document["warnings"])
    assert live_beside(service) == SECOND
    assert set(marks(rollback_ops).values()) == {""}
    assert marks(other)[SECOND] == "good"

    resumed = rollback_ops("resume", "prod", *WHY)
    assert (resumed.code, service.live(), released(service)) == (0, SECOND, SECOND), resumed.err
    assert live_beside(service) == SECOND
    service.host.run(f"systemctl stop {service.name}-b")


@pytest.mark.parametrize("kind", ["service", "environment"])
def test_a_link_that_another_one_switches_is_left_to_it(
    rollback_ops: RollbackOps, other: RollbackOps, deploy: Deploy, kind: str
) -> None:
    service = deploy(layout="releases")
    rollback_ops.settings(quick(service))
    text = quick(service, links={})
    renamed = {"service": (f'services."{service.name}"', "services.rival"), "environment": ("prod", "test")}
    other.settings(text.replace(*renamed[kind]))
    environment = "test" if kind == "environment" else "prod"
    assert other("check", environment).code == 0
    assert rollback_ops("rollback", "prod", *WHY).code == 0

    for command in (("check",), ("rollback", *WHY), ("rollback", "--emergency")):
        ended = other(command[0], environment, *command[1:], "--json")
        assert f"{service.name} (prod)" in refusal(ended)
    assert (service.live(), released(service)) == (SECOND, SECOND)
