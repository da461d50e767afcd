"""The result of a run of the matrix, and its report."""

from __future__ import annotations

from math import comb

import pytest

from tests.faults.__main__ import plan
from tests.faults.gates import BOUNDARIES
from tests.faults.injuries import AT_RANDOM, FAULTS, matrix, strikes
from tests.faults.tally import Judged, lower_bound, report, table
from tests.faults.trial import Trial


@pytest.mark.parametrize("trials", [1, 59, 300, 1000])
def test_without_a_loss_the_bound_is_the_share_at_which_so_long_a_run_comes_up_once_in_twenty(trials: int) -> None:
    assert lower_bound(trials, 0) == pytest.approx(0.05 ** (1 / trials))


def test_three_hundred_faults_without_a_loss_show_ninety_nine_percent() -> None:
    assert lower_bound(300, 0) >= 0.99


@pytest.mark.parametrize(("trials", "lost"), [(20, 1), (300, 2), (300, 30)])
def test_with_losses_the_bound_is_the_share_at_which_so_few_of_them_come_up_once_in_twenty(
    trials: int, lost: int
) -> None:
    bound = lower_bound(trials, lost)
    few = sum(comb(trials, k) * (1 - bound) ** k * bound ** (trials - k) for k in range(lost + 1))
    assert few == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("trials", [0, 5])
def test_nothing_is_known_where_nothing_was_tried_or_all_was_lost(trials: int) -> None:
    assert lower_bound(trials, trials) == 0


def test_the_matrix_has_every_fault_at_every_boundary_where_it_strikes() -> None:
    cells = set(matrix())
    assert cells == {(f, w) for f in FAULTS for w in (*BOUNDARIES, AT_RANDOM) if strikes(f, w)}
    assert {f for f, w in cells} == set(FAULTS)
    assert {w for f, w in cells if f == "power-cycled"} == {*BOUNDARIES, AT_RANDOM}


def test_a_run_goes_through_the_whole_matrix_before_anything_comes_twice_and_then_with_the_other_owner() -> None:
    cells = len(matrix())
    first, second = plan(cells, 1), plan(2 * cells, 1)[cells:]
    assert len({(trial.fault, trial.where) for trial in first}) == cells
    assert {(t.fault, t.where, t.owner) for t in first}.isdisjoint({(t.fault, t.where, t.owner) for t in second})


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    assert plan(50, 3) == plan(50, 3)
    assert plan(50, 3) != plan(50, 4)


@pytest.mark.parametrize("trial", plan(3, 5))
def test_a_trial_is_repeated_by_its_name(trial: Trial) -> None:
    assert Trial.parse(str(trial)) == trial


@pytest.mark.parametrize(
    "text", ["", "stop", "fire@stop:root:1", "worker-killed@moon:root:1", "worker-killed@stop:eve:1"]
)
def test_what_names_no_trial_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="names no trial"):
        Trial.parse(text)


def test_a_report_counts_each_cell_names_what_was_lost_and_gives_the_bound() -> None:
    judged = [
        Judged("power-cycled", "stop", "power-cycled@stop:root:1"),
        Judged("power-cycled", "stop", "power-cycled@stop:deploy:2", ("nothing runs",)),
        Judged("worker-killed", AT_RANDOM, "worker-killed@random:root:1"),
    ]
    rows = {row.split(" | ")[0].strip("| "): row.strip("| ").split(" | ") for row in table(judged).splitlines()}
    wheres = rows["fault"]
    assert rows["power-cycled"][wheres.index("stop")] == "2/1"
    assert rows["power-cycled"][-1] == "2"
    assert rows["worker-killed"][wheres.index(AT_RANDOM)] == "1"
    text = report(judged)
    assert "LOST power-cycled@stop:deploy:2\n  nothing runs" in text
    assert text.endswith("3 faults injected, 1 lost something: with 95 % confidence at least 13.53 % lose nothing")
