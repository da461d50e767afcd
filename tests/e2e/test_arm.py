"""A deployment that takes itself back, on real hosts: cut off, confirmed, and booted in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.scene import FOUR, quick, released
from tests.support.waiting import transient_units

Deploy = Callable[..., Deployed]


def switch_to(service: Deployed, release: str) -> None:
    """As a script deploys it."""
    link = f"ln -sfn {service.releases_directory}/{release} {service.root}/current"
    service.host.run(f"{link} && systemctl restart {' '.join(service.units)}")
    wait_until(lambda: released(service) == release, 60, f"{release} running")


@pytest.mark.parametrize("owner", [pytest.param("root", marks=pytest.mark.long), "deploy"])
def test_a_deployment_that_cuts_its_host_off_is_taken_back_by_the_host_and_the_next_run_says_so(
    fresh_host: LabHost, rollback_ops: RollbackOps, owner: str
) -> None:
    service = fresh_host.deploy(owner=owner, releases=FOUR, live="b3")
    rollback_ops.settings(quick(service, pattern="b*"))
    armed = rollback_ops("arm", "prod", "--for", "10s", "--json")
    assert (armed.code, [each["target"] for each in armed.document["armed"]]) == (0, ["b3"]), armed.err
    switch_to(service, "b4")
    fresh_host.cut_network()
    assert rollback_ops("guard", "prod").code != 0
    wait_until(lambda: released(service) == "b3", 60, "the release from before")
    assert service.live() == "b3"
    fresh_host.restore_network()
    wait_until(lambda: rollback_ops("verify", "prod").code == 0, 60, "the host being reached again", interval=0.1)
    assert "b4" in rollback_ops("list", "prod").out.rpartition("would go to")[2]
    (record,) = rollback_ops("history", "list", "--json").document["records"]
    assert (record["trigger"], record["from"]["release"], record["to"]["release"]) == ("unconfirmed", "b4", "b3")
    assert rollback_ops("gate", "prod", "--release", "b4").code == 1
    # What was told once is not told again.
    told = rollback_ops("rollback", "prod", "--reason", "b3 is no better", "--json").document
    assert any("b4" in warning for warning in told["warnings"])
    assert not any("b4" in warning for warning in rollback_ops("check", "prod", "--json").document["warnings"]
                   if " is held " not in warning)  # fmt: skip


def test_a_guard_that_finds_it_healthy_confirms_it(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=FOUR, live="b3")
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("confirm", "prod").code == 1
    assert rollback_ops("arm", "prod").code == 0
    assert rollback_ops("arm", "prod").code == 1
    switch_to(service, "b4")
    assert rollback_ops("guard", "prod").code == 0
    assert rollback_ops("list", "prod", "--json").document["hosts"][0]["armed"] is None
    assert rollback_ops("confirm", "prod").code == 1
    assert transient_units(service) == ""


def test_a_host_that_was_booted_while_it_was_armed_stays_as_it_is_and_says_so(
    fresh_host: LabHost, rollback_ops: RollbackOps
) -> None:
    service = fresh_host.deploy(releases=FOUR, live="b3")
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("arm", "prod", "--for", "1h").code == 0
    switch_to(service, "b4")
    fresh_host.power_off()
    fresh_host.power_on()
    assert service.live() == "b4"
    shown = rollback_ops("list", "prod")
    assert "b3" in shown.out.rpartition("would go to")[2], shown.out
    assert rollback_ops("arm", "prod").code == 0
    assert rollback_ops("confirm", "prod").code == 0
