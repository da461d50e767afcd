"""The side effects of a stop and a start of systemd's units, on real hosts."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.scene import SECOND, WHY, checks, quick, released, transaction
from tests.support.waiting import go_on, lingering

Deploy = Callable[..., Deployed]
Units = Callable[..., None]

TWO = {"b1": "healthy", "b2": "healthy"}


@pytest.fixture
def units(host: LabHost) -> Iterator[Units]:
    """``units(**{"name.suffix": "text"})`` adds unit files on the shared host; they are removed with the test."""
    added: list[str] = []

    def add(**files: str) -> None:
        for name, text in files.items():
            added.append(name)
            host.write(f"/etc/systemd/system/{name}", text)
        host.run("systemctl daemon-reload")

    yield add
    top = {name.partition("/")[0].removesuffix(".d") for name in added}
    host.run(f"systemctl stop {' '.join(top)}", check=False)
    for name in added:
        host.run(f"rm -rf /etc/systemd/system/{name.partition('/')[0]}")
    host.run(f"systemctl daemon-reload; systemctl reset-failed {' '.join(top)}", check=False)


def active(service: Deployed, *names: str) -> list[str]:
    return service.host.run(f"systemctl is-active {' '.join(names)}", check=False).stdout.split()


def warnings_of(document: dict[str, Any]) -> str:
    return "\n".join(document["warnings"])


# Connects again and again.
CLIENT = """
import socket, time
while True:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(0.1)
    try:
        connection.connect("/run/{unit}.socket")
    except OSError:
        pass
    time.sleep(0.02)
"""
STARTERS = {
    "timer": "[Timer]\nOnUnitInactiveSec=1ms\nAccuracySec=1us\nUnit={unit}.service\n",
    "path": "[Path]\nPathExists=/etc/hostname\nUnit={unit}.service\n",
    "socket": "[Socket]\nListenStream=/run/{unit}.socket\nService={unit}.service\n",
}


@pytest.mark.parametrize("kind", [pytest.param(k, marks=() if k == "socket" else pytest.mark.long) for k in STARTERS])
def test_the_target_answers_where_something_starts_the_old_release_again_before_the_switch(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units, kind: str
) -> None:
    service = deploy(units=2)
    # While this one is stopping, the other one is stopped, and is started again.
    units(**{
        f"{service.units[1]}.service.d/slow.conf": "[Service]\nExecStop=/bin/sleep 1\n",
        f"{service.name}.{kind}": STARTERS[kind].format(unit=service.name),
    })  # fmt: skip
    # systemd starts a socket only while its service is down.
    service.host.run(f"systemctl stop {service.name}; systemctl start {service.name}.{kind} {service.name}")
    wait_until(service.listens, 60, "the service")
    client = f"systemd-run -q --unit={service.name}-client python3 -c {shlex.quote(CLIENT.format(unit=service.name))}"
    service.host.run(client if kind == "socket" else ":")
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    service.host.run(f"systemctl stop {service.name}-client", check=False)

    log = service.host.run(f"journalctl -o cat -u {service.name} | grep -c '^Started'").stdout
    assert int(log) >= 3, "it was not started between the stop and the switch"
    assert ended.code == 0, ended.err
    assert released(service) == SECOND
    assert f"{service.name}.{kind}" in warnings_of(ended.document)


def test_a_trigger_that_is_among_the_units_is_no_matter_for_a_warning(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units
) -> None:
    service = deploy()
    units(**{f"{service.name}.path": STARTERS["path"].format(unit=service.name)})
    service.host.run(f"systemctl start {service.name}.path")
    rollback_ops.settings(quick(service, units=[f"{service.name}.path", service.name]))

    checked = rollback_ops("check", "prod", "--json")
    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert checked.code == 0
    assert f"{service.name}.path" not in warnings_of(checked.document)
    assert (ended.code, released(service)) == (0, SECOND), ended.err
    assert active(service, f"{service.name}.path") == ["active"]


@pytest.mark.parametrize(
    ("owner", "mode"), [pytest.param("root", "process", marks=pytest.mark.long), ("deploy", "none")]
)
def test_a_process_that_the_stop_leaves_and_that_may_answer_makes_the_health_unknown(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units, owner: str, mode: str
) -> None:
    service = deploy(owner=owner, options=[f"KillMode={mode}"], start=False)
    program = service.plan.programs[service.name]
    start = f"[Service]\nExecStart=\nExecStart=/bin/sh -c '{program} & exec sleep 1000'\n"
    units(**{f"{service.name}.service.d/child.conf": start})
    service.start()
    child = service.host.run(f"pgrep -f '[s]ervice.py {service.port}'").stdout.strip()
    rollback_ops.settings(
        quick(service, checks={}, verify={"min_healthy_time": "0s", "healthy_deadline": "8s", "interval": "4s"})
    )

    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    service.host.run(f"pkill -f '[s]ervice.py {service.port}'", check=False)

    assert (ended.code, ended.document["outcome"]) == (2, "health_unknown"), ended.err
    assert f"process {child} (python3) of {service.name}.service" in warnings_of(ended.document)
    outcome, detail = checks(ended.document)["process"]
    assert (outcome, child in detail) == ("unknown", True)


def test_a_process_that_the_stop_leaves_and_that_nobody_can_reach_is_said(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units
) -> None:
    service = deploy(options=["KillMode=process"], start=False)
    program = service.plan.programs[service.name]
    start = f"[Service]\nExecStart=\nExecStart=/bin/sh -c 'sleep 1000 & exec {program}'\n"
    units(**{f"{service.name}.service.d/child.conf": start})
    service.start()
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, released(service)) == (0, SECOND), ended.err
    assert f"(sleep) of {service.name}.service" in warnings_of(ended.document)
    assert "processes" in [step["name"] for step in ended.document["hosts"][0]["steps"]]


@pytest.mark.parametrize("owner", ["root", "deploy"])
def test_units_that_the_stop_pulls_down_are_started_again_and_no_others(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units, owner: str
) -> None:
    service = deploy(owner=owner)
    unit, sleep = f"{service.name}.service", "[Service]\nExecStart=/bin/sleep 1000\n"
    names = [f"{service.name}-{kind}" for kind in ("requires", "binds", "part", "second", "wanted", "off")]
    requires, binds, part, second, wanted, off = (f"{name}.service" for name in names)
    units(**{
        requires: f"[Unit]\nRequires={unit}\nAfter={unit}\nWants={wanted}\n{sleep}",
        binds: f"[Unit]\nBindsTo={unit}\nAfter={unit}\n{sleep}",
        part: f"[Unit]\nPartOf={unit}\n{sleep}",
        second: f"[Unit]\nRequires={requires}\nAfter={requires}\n{sleep}",
        wanted: sleep,
        off: f"[Unit]\nRequires={unit}\nAfter={unit}\n{sleep}",
    })  # fmt: skip
    service.host.run(f"systemctl start {requires} {binds} {part} {second}; systemctl stop {wanted}")
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, released(service)) == (0, SECOND), ended.err
    assert active(service, requires, binds, part, second) == ["active"] * 4
    assert active(service, wanted, off) == ["inactive"] * 2
    assert "dependents" in [step["name"] for step in ended.document["hosts"][0]["steps"]]


SLOW, DEAD = {"b1": "healthy"}, {"b1": "crash_at_once"}


@pytest.mark.parametrize(("target", "options", "said"), [(SLOW, lingering("start-pre"), "ok"), (DEAD, [], "warning")])
def test_what_the_stop_pulled_down_waits_for_a_slow_target_and_is_named_where_the_target_does_not_start(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units, target: dict[str, str], options: list[str], said: str
) -> None:
    service = deploy(releases={**target, "b2": "healthy"}, options=options)
    unit, name = f"{service.name}.service", f"{service.name}-requires.service"
    # It must be ready to be started: a service that crashes a moment later counts as started otherwise.
    ready = "[Service]\nExecStartPost=/bin/sh -c 'sleep 0.5; kill -0 $MAINPID'\n"
    units(**{
        f"{unit}.d/ready.conf": ready,
        name: f"[Unit]\nRequires={unit}\nAfter={unit}\n[Service]\nExecStart=/bin/sleep 1000\n",
    })  # fmt: skip
    service.host.run(f"systemctl start {name}")
    rollback_ops.settings(quick(service, pattern="b*", limits={"start": "2s"}))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    (host,) = ended.document["hosts"]
    assert [step["outcome"] for step in host["steps"] if step["name"] == "dependents"] == [said], host
    assert active(service, name) == ["inactive"]
    go_on(service)
    if said == "ok":
        wait_until(lambda: active(service, name) == ["active"], 60, f"{name} running again")
        assert released(service) == "b1"


def test_a_unit_that_does_not_start_again_is_said(rollback_ops: RollbackOps, deploy: Deploy, units: Units) -> None:
    service = deploy()
    proxy, flag = f"{service.name}-proxy.service", f"/run/{service.name}-flag"
    start = f"[Service]\nExecStartPre=/bin/rm {flag}\nExecStart=/bin/sleep 1000\n"
    units(**{proxy: f"[Unit]\nBindsTo={service.name}.service\nAfter={service.name}.service\n{start}"})
    service.host.run(f"touch {flag}; systemctl start {proxy}")
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert released(service) == SECOND
    assert f"{proxy} was stopped" in warnings_of(ended.document), ended.err


@pytest.mark.parametrize(
    "place", ["unit", *(pytest.param(p, marks=pytest.mark.long) for p in ("drop-in", "directory"))]
)
def test_a_unit_file_in_the_release_is_read_again(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units, place: str
) -> None:
    service = deploy(releases=TWO)
    directory, unit = f"/etc/systemd/system/{service.name}.service.d", f"{service.name}.service"
    links = {
        "unit": (f"/etc/systemd/system/{unit}", "app.service"),
        "drop-in": (f"{directory}/10.conf", "drop/10.conf"),
        "directory": (directory, "drop"),
    }
    whole = service.host.read(f"/etc/systemd/system/{unit}")
    for release in TWO:
        marked = f"Environment=RELEASE={release}\n"
        service.host.write(
            f"{service.releases_directory}/{release}/app.service", whole.replace("[Install]", f"{marked}[Install]")
        )
        service.host.write(f"{service.releases_directory}/{release}/drop/10.conf", f"[Service]\n{marked}")
    link, target = links[place]
    units(**{f"{unit}.d/other.conf": "[Service]\n"})
    if place == "directory":
        service.host.run(f"rm -r {directory}")
    linked = f"ln -sfn {service.root}/current/{target} {link}"
    service.host.run(f"{linked}; systemctl daemon-reload; systemctl restart {unit}")
    rollback_ops.settings(quick(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, released(service)) == (0, "b1"), ended.err
    assert (
        "RELEASE=b1"
        in service.host.run(f"tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value {unit})/environ").stdout
    )
    assert ("reload", "ok") in [(step["name"], step["outcome"]) for step in ended.document["hosts"][0]["steps"]]
    service.host.run(f"rm -f {link}")


def test_a_target_without_the_unit_s_file_is_refused_before_the_stop(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units
) -> None:
    service = deploy(releases=TWO)
    path = f"/etc/systemd/system/{service.name}.service"
    service.host.run(f"cp {path} {service.releases_directory}/b2/app.service")
    service.host.run(f"ln -sfn {service.root}/current/app.service {path}; systemctl daemon-reload")
    rollback_ops.settings(quick(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, released(service)) == (1, "b2"), ended.err
    assert "app.service" in ended.document["hosts"][0]["detail"]


def test_a_target_is_well_when_its_members_are(rollback_ops: RollbackOps, deploy: Deploy, units: Units) -> None:
    healthy = "ExecStartPre=/bin/grep -qx healthy behaviour"
    service = deploy(releases={"b1": "unhealthy", "b2": "healthy"}, options=["Restart=no", healthy])
    target = f"{service.name}.target"
    units(**{
        target: f"[Unit]\nWants={service.name}.service {service.name}-absent.service\n",
        f"{service.name}.service.d/part.conf": f"[Unit]\nPartOf={target}\n",
    })  # fmt: skip
    service.host.run(f"systemctl start {target}")
    settings = quick(service, pattern="b*", units=[target], checks={})
    rollback_ops.settings(settings)
    assert rollback_ops("verify", "prod").code == 0

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (4, "failed"), ended.err
    assert f"{service.name}.service is failed" in checks(ended.document)["process"][1]
    assert active(service, target) == ["active"]


@pytest.mark.parametrize("remains", ["no", "yes"])
@pytest.mark.parametrize(
    "mode",
    [pytest.param(WHY, id="standard"), pytest.param(("--emergency",), id="emergency", marks=pytest.mark.long)],
)
def test_a_oneshot_that_ended_with_success_is_fine(
    rollback_ops: RollbackOps, deploy: Deploy, units: Units, remains: str, mode: tuple[str, ...]
) -> None:
    service = deploy(releases=TWO, start=False)
    job = f"{service.name}-job.service"
    start = f"ExecStart=/bin/sh -c 'basename $(pwd -P) >{service.root}/job'"
    section = f"[Service]\nType=oneshot\nRemainAfterExit={remains}\nWorkingDirectory={service.root}/current\n"
    units(**{job: f"{section}{start}\n"})
    service.host.run(f"systemctl start {job}")
    rollback_ops.settings(quick(service, pattern="b*", units=[job], checks={}))

    ended = rollback_ops("rollback", "prod", *mode, "--json")

    assert ended.code == 0, ended.err
    assert service.host.read(f"{service.root}/job") == "b1\n"
    assert ("start", "ok") in transaction(ended.document)


def test_a_oneshot_that_failed_needs_a_person(rollback_ops: RollbackOps, deploy: Deploy, units: Units) -> None:
    service = deploy(releases=TWO, start=False)
    job = f"{service.name}-job.service"
    units(**{job: f"[Service]\nType=oneshot\nExecStart=/bin/false\nWorkingDirectory={service.root}/current\n"})
    rollback_ops.settings(quick(service, pattern="b*", units=[job], checks={}))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, transaction(ended.document)[-1]) == (4, ("start", "failed")), ended.err


def test_a_user_without_a_manager_is_refused_before_anything_is_stopped(
    rollback_ops: RollbackOps, deploy: Deploy, host: LabHost
) -> None:
    service = deploy(owner="admin", manager="systemd-user")
    rollback_ops.settings(quick(service))
    assert rollback_ops("check", "prod").code == 0
    host.run("loginctl disable-linger admin; systemctl stop user@2001; systemctl mask --runtime user@2001")
    try:
        for command in (["check", "prod"], ["rollback", "prod", *WHY], ["rollback", "prod", "--emergency"]):
            ended = rollback_ops(*command, "--json")
            assert (ended.code, ended.document["outcome"]) == (1, "refused"), ended.err
            assert f"{service.name}.service" in ended.document["hosts"][0]["detail"]
    finally:
        host.run("systemctl unmask --runtime user@2001; loginctl enable-linger admin")
    assert service.live() != SECOND
