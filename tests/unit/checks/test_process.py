"""The ``process`` check: the units run, and their processes are still the same ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.checks.process import ProcessChecker
from rollback_ops.core.health import Finding
from rollback_ops.core.model import Unit, UnitState

BOT = Unit("bot", "running", pid=7, invocation="a")
WORKER = Unit("worker", "running", pid=8, invocation="b")


def last(*samples: tuple[Unit, ...] | Unit) -> Finding:
    """Return the last finding of one check that gets these samples, one after the other."""
    check, found = ProcessChecker(), Finding("unknown")
    for sample in samples:
        found = check.judge(sample if isinstance(sample, tuple) else (sample,))
    return found


def test_units_that_run_pass_with_their_process() -> None:
    finding = last((BOT, WORKER))
    assert finding.verdict == "passed"
    assert all(shown in finding.detail for shown in ("bot", "7", "worker", "8"))
    assert last(Unit("web", "running")).verdict == "passed"


def test_units_that_go_on_running_pass() -> None:
    assert last(BOT, BOT, BOT).verdict == "passed"


def test_a_unit_that_ended_with_success_passes() -> None:
    job = Unit("job", "finished")
    assert last(job, job).verdict == "passed"
    assert last((BOT, job)).verdict == "passed"
    assert last(replace(BOT, name="job"), job).verdict == "passed"


def test_a_process_from_before_the_start_makes_it_unknown_also_in_later_samples() -> None:
    for later in ((), (BOT,)):
        finding = last(replace(BOT, old="process 5 (python3)"), *later)
        assert (finding.verdict, finding.final, finding.down) == ("unknown", False, False)
        assert "process 5 (python3)" in finding.detail
    starting = replace(WORKER, state="starting")
    assert last((replace(BOT, old="process 5 (python3)"), starting)).verdict == "failed"


@pytest.mark.parametrize("state", ["failed", "stopped", "missing"])
def test_a_unit_that_does_not_run_is_hard_evidence(state: UnitState) -> None:
    for samples in ((replace(BOT, state=state),), (BOT, replace(BOT, state=state))):
        finding = last(*samples)
        assert (finding.verdict, finding.final, finding.trigger) == ("failed", True, "process-crash")
        assert all(shown in finding.detail for shown in ("bot", state))


@pytest.mark.parametrize(("state", "verdict"), [("starting", "failed"), ("stopping", "failed"), ("unknown", "unknown")])
def test_a_unit_that_does_not_run_yet_may_still_come(state: UnitState, verdict: str) -> None:
    finding = last(replace(BOT, state=state, detail="activating"))
    assert (finding.verdict, finding.final, finding.down) == (verdict, False, verdict == "failed")
    assert all(shown in finding.detail for shown in ("bot", state, "activating"))


def test_a_unit_that_was_starting_and_runs_passes_with_whatever_process_it_has() -> None:
    starting = Unit("bot", "starting", pid=6)
    assert last(starting, BOT, BOT).verdict == "passed"


@pytest.mark.parametrize(
    ("before", "after", "shown", "down"),
    [
        (BOT, replace(BOT, restarts=1), "1", True),
        (BOT, replace(BOT, restarts=1, state="starting"), "1", True),
        (replace(BOT, state="starting"), replace(BOT, restarts=2), "2", True),
        (replace(BOT, restarts=3), replace(BOT, restarts=4, pid=9), "4", True),
        (BOT, replace(BOT, pid=9), "9", False),
        (BOT, replace(BOT, invocation="c"), "7", False),
    ],
)
def test_a_restart_since_the_first_sample_is_a_crash(before: Unit, after: Unit, shown: str, down: bool) -> None:
    finding = last(before, after)
    assert (finding.verdict, finding.final, finding.trigger) == ("failed", True, "process-crash")
    assert finding.down is down, "who was restarted by somebody else runs again"
    assert all(text in finding.detail for text in ("bot", shown))


def test_restarts_before_the_first_sample_do_not_count() -> None:
    old = replace(BOT, restarts=17)
    assert last(old, old).verdict == "passed"


def test_each_check_has_its_own_memory() -> None:
    assert last(BOT).verdict == last(replace(BOT, pid=9, restarts=1)).verdict == "passed"


def test_one_unit_of_several_that_does_not_run_is_enough_and_hard_evidence_comes_first() -> None:
    starting, dead = Unit("slow", "starting"), Unit("dead", "failed")
    finding = last((BOT, starting))
    assert (finding.verdict, finding.final, finding.trigger) == ("failed", False, "process-crash")
    assert "slow" in finding.detail
    finding = last((BOT, starting, dead))
    assert (finding.verdict, finding.final) == ("failed", True)
    assert "dead" in finding.detail


def test_without_units_nothing_is_known() -> None:
    assert last(()).verdict == "unknown"
    assert last(BOT, ()).verdict == "unknown"


def test_a_unit_that_is_not_listed_any_more_fails() -> None:
    """The manager does not list a container that was removed."""
    finding = last((BOT, WORKER), BOT)
    assert (finding.verdict, "worker" in finding.detail) == ("failed", True)


units = st.builds(
    Unit,
    st.sampled_from(["bot", "worker"]),
    st.sampled_from(["running", "running", "starting", "stopping", "stopped", "failed", "missing", "unknown"]),
    pid=st.integers(0, 2),
    restarts=st.integers(0, 2),
)
samples = st.lists(units, min_size=1, max_size=2, unique_by=lambda unit: unit.name).map(tuple)


@given(st.lists(samples, min_size=1, max_size=5))
def test_a_pass_means_that_every_unit_runs_now_as_it_ran_when_it_first_ran(seen: list[tuple[Unit, ...]]) -> None:
    check = ProcessChecker()
    *before, last_word = [check.judge(sample) for sample in seen]
    # A verification ends at hard evidence.
    if last_word.verdict == "passed" and not any(finding.final for finding in before):
        assert {unit.state for unit in seen[-1]} == {"running"}
        assert {unit.name for sample in seen for unit in sample} == {unit.name for unit in seen[-1]}
        for unit in seen[-1]:
            ran = next(u for sample in seen for u in sample if u.name == unit.name and u.state == "running")
            assert (ran.pid, ran.restarts >= unit.restarts) == (unit.pid, True)
