"""The dead man's switch on one host: what happens when nobody confirms, and what takes it away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Armed, ArmOrder, HeldRelease
from tests.support.agent_sandbox import RUN, Sandbox
from tests.support.lab.ground import wait_until

LATER = "20240102T000000Z-00000002"
INTENT = (
    f'{{"event":"intent","id":"{RUN}","service":"rosey","environment":"prod","mode":"standard","trigger":"unconfirmed",'
    '"reason":"nobody confirmed","actor":"ana","run_url":null'
)
HOLD = '{"by":"ana","reason":"nobody confirmed","lifted_by":"","lifted_because":""\t3600\tbad'


@pytest.fixture(params=["dash", "busybox"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    made = Sandbox(tmp_path, str(request.param))
    (made.releases / "r3/REVISION").write_text("c27d5e9b18\n")
    return made


def order(seconds: float = 600.0, **changes: Any) -> ArmOrder:
    words = {"run": RUN, "until": "2027-01-15T08:10:00.000Z", "owner": "ana", "run_url": ""}
    return ArmOrder(**{"seconds": seconds, "intent": INTENT, "hold": HOLD, **words, **changes})


def deploy(sandbox: Sandbox, release: str) -> None:
    """As a deployment does it: another release becomes live, and is started."""
    sandbox.current.unlink()
    sandbox.current.symlink_to(sandbox.releases / release)
    (sandbox.root / "running").write_text(f"{release}\n")


def over(sandbox: Sandbox, run: str = RUN) -> None:
    wait_until((sandbox.state / "runs" / run / "done").exists, 60, "the end of the switch")
    lease = sandbox.state / "lease"
    wait_until(lambda: not lease.exists() or not lease.read_text(), 60, "the lease given up")


def test_without_a_confirmation_the_host_goes_back_and_says_so_until_a_run_has_recorded_it(sandbox: Sandbox) -> None:
    deploy(sandbox, "r2")
    assert sandbox.host.arm(order(1.0)) == Armed(RUN, "r2", "2027-01-15T08:10:00.000Z", "ana")
    deploy(sandbox, "r3")
    over(sandbox)
    wait_until((sandbox.state / "holds" / RUN).exists, 60, "the hold")
    found = sandbox.host.survey()
    assert (found.live.name, sandbox.running(), found.armed) == ("r2", "r2", None)
    assert any("r3" in note and "r2" in note for note in found.notes)
    (hold,) = found.holds
    assert (hold.id, hold.by, hold.releases) == (RUN, "ana", (HeldRelease("r3", "c27d5e9b18"),))
    assert hold.until - hold.since == 3600
    assert found.release("r3").mark == ""  # type: ignore[union-attr]
    (record,), unreadable = read_journal(sandbox.host.journal())
    assert (record.trigger, record.outcome, record.exit_code, unreadable) == ("unconfirmed", "health_unknown", 2, 0)
    assert (record.from_.release, record.from_.revision, record.to.release) == ("r3", "c27d5e9b18", "r2")
    assert [host.host for host in record.hosts] == ["here"]
    sandbox.host.record(LATER, {}, '{"schema_version":2}')
    assert sandbox.host.survey().notes == ()


def test_what_goes_back_by_itself_holds_everything_where_the_settings_say_so(sandbox: Sandbox) -> None:
    deploy(sandbox, "r2")
    sandbox.host.arm(order(1.0, hold=HOLD.replace("bad", "all")))
    deploy(sandbox, "r3")
    over(sandbox)
    wait_until((sandbox.state / "holds" / RUN).exists, 60, "the hold")
    (hold,) = sandbox.host.survey().holds
    assert (hold.id, hold.releases, hold.readable) == (RUN, (), True)


def test_a_host_that_somebody_took_over_just_then_ends_as_superseded(tmp_path: Path) -> None:
    stop = f'rm "$ROLLBACK_ROOT/running"; ln -sfn "{tmp_path}/service/releases/r1" "$ROLLBACK_CURRENT"'
    sandbox = Sandbox(tmp_path, "dash", {"stop": stop})
    deploy(sandbox, "r2")
    sandbox.host.arm(order(1.0))
    deploy(sandbox, "r3")
    over(sandbox)
    wait_until(lambda: any(line["event"] == "verdict" for line in sandbox.journal()), 60, "the verdict")
    (record,), _ = read_journal(sandbox.host.journal())
    assert (record.outcome, record.exit_code, sandbox.host.survey().live.name) == ("superseded", 6, "r1")


def test_what_is_confirmed_stays(sandbox: Sandbox) -> None:
    deploy(sandbox, "r2")
    sandbox.host.arm(order(1.0))
    deploy(sandbox, "r3")
    assert (sandbox.host.confirm(), sandbox.host.confirm()) == (True, False)
    sandbox.host.arm(order(1.0, run=LATER))
    deploy(sandbox, "r1")
    over(sandbox, LATER)
    assert not (sandbox.state / "runs" / RUN / "fired").exists()
    assert sandbox.host.survey().live.name == "r3"


def test_a_host_that_is_armed_cannot_be_armed_again(sandbox: Sandbox) -> None:
    sandbox.host.arm(order())
    with pytest.raises(Refused, match="ana"):
        sandbox.host.arm(order(run=LATER))
    assert sandbox.host.survey().armed == Armed(RUN, "r3", "2027-01-15T08:10:00.000Z", "ana")
    assert sandbox.host.confirm()


def test_nothing_is_switched_where_nothing_was_deployed(sandbox: Sandbox) -> None:
    sandbox.host.arm(order(1.0))
    over(sandbox)
    found = sandbox.host.survey()
    assert (found.live.name, found.armed, found.notes, found.holds) == ("r3", None, (), ())


def test_a_rollback_in_the_meantime_disarms_it(sandbox: Sandbox) -> None:
    deploy(sandbox, "r2")
    sandbox.host.arm(order())
    deploy(sandbox, "r3")
    result, _ = sandbox.switch("r1", run=LATER)
    assert (result.outcome, sandbox.host.survey().armed) == ("switched", None)
    assert not sandbox.host.confirm()


@pytest.mark.parametrize(("begins", "outcome"), [("false", "refused"), ("true", "put_back")])
def test_a_rollback_that_changed_nothing_leaves_it_armed(tmp_path: Path, begins: str, outcome: str) -> None:
    traffic = {"drain": begins, "undrain": "true"}
    sandbox = Sandbox(tmp_path, "dash", {"stop": "false"}, traffic=traffic)
    armed = sandbox.host.arm(order())
    result, _ = sandbox.switch(run=LATER)
    assert (result.outcome, sandbox.host.survey().armed) == (outcome, armed)


def test_one_run_cannot_disarm_what_another_has_armed(sandbox: Sandbox) -> None:
    sandbox.host.arm(order())
    assert (sandbox.host.confirm(LATER), sandbox.host.confirm(RUN)) == (False, True)


def test_a_host_that_was_booted_while_armed_stays_as_it_is_and_says_so(sandbox: Sandbox) -> None:
    sandbox.host.arm(order())
    armed = sandbox.state / "armed"
    run, _, *rest = armed.read_text().split("\t")
    armed.write_text("\t".join([run, "another-boot", *rest]))
    found = sandbox.host.survey()
    assert (found.armed, len(found.notes)) == (None, 1)
    assert sandbox.host.arm(order(run=LATER)).run == LATER
    assert sandbox.host.confirm()


def test_without_a_live_release_there_is_nothing_to_go_back_to(sandbox: Sandbox) -> None:
    sandbox.current.unlink()
    with pytest.raises(Refused):
        sandbox.host.arm(order())
    assert not (sandbox.state / "armed").exists()
