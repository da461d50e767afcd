"""Two services, or two environments of one, on one root: neither sees, or undoes, what belongs to the other."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import ServiceId
from rollback_ops.hosts.agent import bundle
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.local import LocalTransport
from tests.support.agent_sandbox import BAD, GOOD, RUN, Sandbox
from tests.support.breakglass_sandbox import Standalone, text_of

OTHERS = [("rosey", "test"), ("other", "prod")]
HOURS_AGO = 1_000_000.0


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, shell)


@pytest.fixture(params=OTHERS, ids="@".join)
def other(request: pytest.FixtureRequest, sandbox: Sandbox) -> Sandbox:
    return sandbox.beside(*request.param)


@contextmanager
def locked(sandbox: Sandbox) -> Iterator[None]:
    sandbox.state.mkdir(parents=True)
    with (sandbox.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def begun(sandbox: Sandbox, place: Path, service: str, environment: str) -> None:
    """An interrupted transaction to r1, as a host keeps it in ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "open").write_text(f"{RUN}\tr1\t{sandbox.releases}/r3\n")
    names = f'"service":"{service}","environment":"{environment}"'
    sandbox.store.mkdir(exist_ok=True)
    (sandbox.store / "journal.jsonl").write_text(f'{{"event":"intent","id":"{RUN}",{names},"to":"r1"}}\n')


def test_marks_of_one_say_nothing_about_the_others_releases(sandbox: Sandbox, other: Sandbox) -> None:
    sandbox.host.record(RUN, {"r2": BAD, "r1": GOOD}, "")
    assert {r.name: r.mark for r in sandbox.host.survey().releases} == {"r1": "good", "r2": "bad", "r3": ""}
    assert {r.mark for r in other.host.survey().releases} == {""}


def test_a_manifest_of_one_is_not_held_against_the_other(sandbox: Sandbox, other: Sandbox) -> None:
    sandbox.host.seal("r2")
    (sandbox.releases / "r2" / "app").write_text("changed\n")
    assert sandbox.host.inspect("r2").broken
    assert (other.host.inspect("r2").sealed, other.host.inspect("r2").broken) == (False, "")


def test_the_lock_of_one_does_not_hold_up_the_other(sandbox: Sandbox, other: Sandbox) -> None:
    with locked(other):
        assert other.host.survey().lease is not None
        assert sandbox.host.survey().lease is None
        assert sandbox.switch()[0].outcome == "switched"


def test_the_lease_of_one_is_not_broken_by_an_emergency_of_the_other(sandbox: Sandbox, other: Sandbox) -> None:
    assert sandbox.switch("r2")[0].outcome == "switched"
    order = other.order("r1", run="another-run", break_lock=True)
    assert other.host.switch(order, lambda _: None).outcome == "switched"
    lease = sandbox.host.survey().lease
    assert (lease and lease.run) == RUN


def test_an_interrupted_transaction_is_only_seen_by_its_own(sandbox: Sandbox, other: Sandbox) -> None:
    begun(other, other.state, *vars_of(other))
    assert sandbox.host.survey().unfinished is None
    found = other.host.survey().unfinished
    assert (found and found.target) == "r1"
    assert sandbox.switch()[0].outcome == "switched"
    assert other.host.survey().unfinished == found


def test_each_line_of_the_journal_says_whose_it_is(sandbox: Sandbox) -> None:
    sandbox.switch(intent=f'{{"event":"intent","id":"{RUN}","service":"rosey","environment":"prod"}}')
    assert {(line["service"], line["environment"]) for line in sandbox.journal()} == {("rosey", "prod")}
    assert {line["event"] for line in sandbox.journal()} == {"intent", "step", "end"}


# --- one link -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", OTHERS)
def test_the_second_that_would_switch_the_same_link_is_refused_and_told_whose_it_is(
    sandbox: Sandbox, names: tuple[str, str]
) -> None:
    rival = sandbox.beside(*names, current="current")
    assert rival.host.survey().blockers == ()
    assert sandbox.switch()[0].outcome == "switched"
    (blocker,) = rival.host.survey().blockers
    assert "rosey (prod)" in blocker
    order = rival.order("r1", run="another-run", source=str(sandbox.releases / "r2"), break_lock=True)
    result = rival.host.switch(order, lambda _: None)
    assert (result.outcome, sandbox.running()) == ("refused", "r2")
    assert "rosey (prod)" in result.reason
    assert sandbox.host.survey().blockers == ()


def test_state_that_is_renamed_with_its_service_stays_its_state(sandbox: Sandbox) -> None:
    assert sandbox.switch()[0].outcome == "switched"
    sandbox.host.record(RUN, {"r3": BAD}, "")
    renamed = sandbox.beside("rosey-bot", "prod", current="current")
    sandbox.state.rename(renamed.state)
    survey = renamed.host.survey()
    assert survey.blockers == ()
    assert survey.release("r3") is not None
    assert next(r.mark for r in survey.releases if r.name == "r3") == "bad"


# --- what earlier versions left -----------------------------------------------------------------------------


def test_marks_and_manifests_of_an_earlier_version_hold_until_newer_ones_are_written(sandbox: Sandbox) -> None:
    marks, manifests = sandbox.store / "marks" / "releases", sandbox.store / "manifests" / "releases"
    for place in (marks, manifests):
        place.mkdir(parents=True)
    (marks / "r1.bad").touch()
    (marks / "r2.bad").touch()
    (manifests / "r2").write_text(f"{'0' * 64} *./app\n")
    assert {r.name: r.mark for r in sandbox.host.survey().releases} == {"r1": "bad", "r2": "bad", "r3": ""}
    assert sandbox.host.inspect("r2").broken
    sandbox.host.record(RUN, {"r2": GOOD}, "")
    sandbox.host.seal("r2")
    survey = sandbox.host.survey()
    assert {r.name: (r.mark, r.sealed) for r in survey.releases if r.name != "r3"} == {
        "r1": ("bad", False),
        "r2": ("good", True),
    }
    assert sandbox.host.inspect("r2").broken == ""


@pytest.mark.parametrize("names", [("rosey", "prod"), *OTHERS])
def test_a_transaction_of_an_earlier_version_is_taken_up_by_the_one_whose_journal_has_it(
    sandbox: Sandbox, names: tuple[str, str]
) -> None:
    begun(sandbox, sandbox.store, *names)
    mine = names == ("rosey", "prod")
    found = sandbox.host.survey().unfinished
    assert (found and found.target) == ("r1" if mine else None)
    assert sandbox.switch("r1")[0].outcome == "switched"
    assert sandbox.host.survey().unfinished is None
    assert (sandbox.store / "open").exists() == (not mine)


# --- runs that are forgotten --------------------------------------------------------------------------------


def test_runs_are_forgotten_by_age_and_never_the_own_one(sandbox: Sandbox) -> None:
    """A clock that was ahead once named runs that sort after all others."""
    for number in range(25):
        ahead = sandbox.state / "runs" / f"29991231T235959Z-{number:08x}"
        ahead.mkdir(parents=True)
        os.utime(ahead, (HOURS_AGO + number, HOURS_AGO + number))
    assert sandbox.switch()[0].outcome == "switched"
    kept = sorted(path.name for path in (sandbox.state / "runs").iterdir())
    assert len(kept) == 20
    assert kept[0] == RUN
    assert kept[1:] == [f"29991231T235959Z-{number:08x}" for number in range(6, 25)]


def test_asking_for_runs_that_never_were_makes_no_run_forgotten(sandbox: Sandbox) -> None:
    assert sandbox.switch()[0].outcome == "switched"
    for number in range(30):
        assert "never began" in sandbox.execute("follow", f"99991231T235959Z-{number:08x}").stdout
    assert (sandbox.state / "runs" / RUN / "done").exists()
    assert len(list((sandbox.state / "runs").iterdir())) <= 22
    sandbox.host.record(RUN, {}, "")
    again = sandbox.order("r1", run="20240102T000000Z-00000002", source=str(sandbox.releases / "r2"))
    assert sandbox.host.switch(again, lambda _: None).outcome == "switched"


def test_an_order_that_comes_after_the_question_about_it_is_not_carried_out(sandbox: Sandbox) -> None:
    assert "never began" in sandbox.execute("follow", RUN).stdout
    assert (sandbox.switch()[0].outcome, sandbox.running()) == ("refused", "r3")


# --- the installed program ----------------------------------------------------------------------------------


def test_a_program_that_serves_another_is_not_replaced(shell: str, tmp_path: Path) -> None:
    mine = Standalone(tmp_path, shell)
    before = mine.program.read_text()
    for names in OTHERS:
        other = mine.beside(*names)
        with pytest.raises(Refused, match=r"rosey \(prod\)"):
            other.host.install(text_of(other))
    assert mine.program.read_text() == before
    assert mine.host.install(text_of(mine)) == "unchanged"


def test_a_restricted_key_for_another_is_told_whom_the_program_serves(shell: str, tmp_path: Path) -> None:
    mine = Standalone(tmp_path, shell)
    transport = LocalTransport("here", {"PATH": mine.path})
    for names in OTHERS:
        asked = AgentHost(transport, "", mine.parse, 20, str(mine.program), ServiceId(*names))
        with pytest.raises(Refused, match=r"rosey \(prod\)"):
            asked.survey()
    assert AgentHost(transport, "", mine.parse, 20, str(mine.program), mine.about).survey().live.name == "r3"


def test_a_long_line_stays_one_line_where_two_services_write(sandbox: Sandbox, other: Sandbox) -> None:
    """A shell writes a long text in pieces."""
    line = f'{{"text":"{"x" * 45_000}"}}'
    six_times = [f"for n in 1 2 3 4 5 6; do {_record(who, line)}; done" for who in (sandbox, other)]
    at_once = " & ".join(f"{{ {loop} >/dev/null; }}" for loop in six_times)
    script = sandbox.root / "both"
    script.write_text(f"{at_once} & wait\n")
    subprocess.run(["sh", str(script)], env={"PATH": sandbox.path}, check=True, timeout=60)
    assert list(sandbox.host.journal()) == [line] * 12


def _record(sandbox: Sandbox, line: str) -> str:
    return bundle.command(sandbox.text, "record", RUN, line)


def vars_of(sandbox: Sandbox) -> tuple[str, str]:
    return sandbox.about.service, sandbox.about.environment
