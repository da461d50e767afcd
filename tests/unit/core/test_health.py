"""The verdict on evidence: pure, on a simulated clock. Times are whole milliseconds, so that sums are exact."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_ops.core.health import Finding, Thresholds, Verdict
from rollback_ops.core.watch import Watch, first_interval, longer

PASSED, FAILED, UNKNOWN = Finding("passed"), Finding("failed"), Finding("unknown")
BY_VERDICT: dict[Verdict, Finding] = {"passed": PASSED, "failed": FAILED, "unknown": UNKNOWN}


def thresholds(**words: float) -> Thresholds:
    """A pace in milliseconds: no window, one answer is enough."""
    usual = {"interval": 100, "min_healthy_time": 0, "healthy_deadline": 20_000, "failure_threshold": 1}
    return Thresholds(**usual | words)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answer:
    name: str
    verdict: Verdict
    asked_at: int
    answered_at: int


answers = st.builds(
    lambda name, verdict, asked_at, took: Answer(name, verdict, asked_at, asked_at + took),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["passed", "passed", "passed", "passed", "failed", "unknown"]),
    st.integers(0, 2000),
    st.integers(0, 200),
)
# Each check answers in the order in which it was asked; different checks overtake one another.
schedules = st.lists(answers, max_size=30).map(lambda told: sorted(told, key=lambda answer: answer.asked_at))


def state(told: list[Answer], name: str) -> list[Answer]:
    """The passes at the end of what a check said, without a break."""
    found: list[Answer] = []
    for answer in reversed([a for a in told if a.name == name]):
        if answer.verdict != "passed":
            break
        found.insert(0, answer)
    return found


@settings(max_examples=200, deadline=None)
@given(schedules, st.integers(0, 600), st.integers(0, 600))
def test_healthy_is_exactly_when_all_checks_pass_together_for_long_enough(
    told: list[Answer], window_of_a: int, window_of_b: int
) -> None:
    windows = {"a": window_of_a, "b": window_of_b}
    watch = Watch.of({name: thresholds(min_healthy_time=window) for name, window in windows.items()}, began=0)
    for number, answer in enumerate(told, 1):
        watch.note({answer.name: BY_VERDICT[answer.verdict]}, answer.asked_at, answer.answered_at)
        passes = {name: state(told[:number], name) for name in windows}
        together_since = max((p[0].asked_at for p in passes.values() if p), default=0)
        expected = all(p and p[-1].asked_at >= together_since + windows[name] for name, p in passes.items())
        assert watch.healthy == expected


@given(schedules, st.integers(0, 600))
def test_a_check_that_never_answered_is_never_a_pass(told: list[Answer], window: int) -> None:
    watch = Watch.of(dict.fromkeys("abc", thresholds(min_healthy_time=window)), began=0)
    for answer in told:
        watch.note({answer.name: BY_VERDICT[answer.verdict]}, answer.asked_at, answer.answered_at)
        assert not watch.healthy


@settings(max_examples=200, deadline=None)
@given(
    st.integers(10, 400),
    st.integers(0, 3000),
    st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 99)), min_size=1, max_size=4),
)
def test_a_service_that_has_come_up_is_healthy_after_the_window_and_at_most_one_interval_more(
    interval: int, window: int, checks: list[tuple[int, int]]
) -> None:
    """Each check passes for good from some moment on, and is asked at its own beat."""
    names = [str(number) for number, _ in enumerate(checks)]
    watch = Watch.of(dict.fromkeys(names, thresholds(min_healthy_time=window)), began=0)
    up_at = max(up for up, _ in checks)
    beats = (
        zip(range(offset, 500_000, interval), itertools.repeat(name), strict=False)
        for name, (_, offset) in zip(names, checks, strict=True)
    )
    for now, name in heapq.merge(*beats):
        up, _ = checks[int(name)]
        watch.note({name: PASSED if now >= up else FAILED}, now, now)
        if watch.healthy:
            assert up_at + window <= now < up_at + window + interval + max(interval, 99) + 1
            return
    raise AssertionError("it was never healthy")


@given(st.lists(st.sampled_from([FAILED, UNKNOWN]), max_size=20))
def test_nothing_but_passes_makes_a_pass(findings: list[Finding]) -> None:
    watch = Watch.of({"a": thresholds()}, began=0)
    for now, finding in enumerate(findings):
        watch.note({"a": finding}, now, now)
        assert not watch.healthy
        assert watch.goal("a") is None


def test_a_break_starts_the_window_again() -> None:
    watch = Watch.of({"a": thresholds(min_healthy_time=300)}, began=0)
    for now, finding in [(0, PASSED), (200, UNKNOWN), (300, PASSED), (599, PASSED)]:
        watch.note({"a": finding}, now, now)
        assert not watch.healthy
    watch.note({"a": PASSED}, 600, 650)
    assert watch.healthy
    assert watch.states["a"].first_passed == 0


def test_a_pass_counts_from_when_it_was_asked_for_and_not_from_when_it_was_answered() -> None:
    watch = Watch.of({"a": thresholds(min_healthy_time=300)}, began=0)
    watch.note({"a": PASSED}, 0, 10)
    watch.note({"a": PASSED}, 299, 5000)
    assert not watch.healthy


@pytest.mark.parametrize(("verdicts", "healthy"), [("ppp", True), ("pp", False), ("ppfpp", False), ("fppp", True)])
def test_so_many_passes_in_a_row_are_needed(verdicts: str, healthy: bool) -> None:
    watch = Watch.of({"a": thresholds(success_threshold=3)}, began=0)
    for now, verdict in enumerate(verdicts):
        watch.note({"a": PASSED if verdict == "p" else FAILED}, now, now)
    assert watch.healthy == healthy


@pytest.mark.parametrize(("verdicts", "healthy"), [("pfpp", True), ("pffp", False), ("ff", False), ("ffp", False)])
def test_so_many_failures_in_a_row_are_forgiven_once_it_passed(verdicts: str, healthy: bool) -> None:
    """Over a window of 2: the passes count from the first one, unless a break begins them anew."""
    watch = Watch.of({"a": thresholds(failure_threshold=2, min_healthy_time=2)}, began=0)
    for now, verdict in enumerate(verdicts):
        watch.note({"a": PASSED if verdict == "p" else FAILED}, now, now)
    assert watch.healthy == healthy


def test_a_check_whose_last_answer_is_a_failure_is_not_healthy_even_if_one_is_forgiven() -> None:
    watch = Watch.of({"a": thresholds(failure_threshold=3), "b": thresholds()}, began=0)
    watch.note({"a": PASSED}, 0, 1)
    watch.note({"a": FAILED}, 100, 101)
    watch.note({"b": PASSED}, 0, 150)
    assert not watch.healthy
    watch.note({"a": PASSED}, 200, 201)
    assert watch.healthy


@pytest.mark.parametrize(
    ("finding", "hopeless"),
    [
        (Finding("failed", final=True), True),
        (Finding("failed"), False),
        (Finding("unknown", final=True), False),
        (Finding("passed", final=True), False),
    ],
)
def test_hard_evidence_ends_the_waiting(finding: Finding, hopeless: bool) -> None:
    watch = Watch.of({"a": thresholds(), "b": thresholds()}, began=0)
    watch.note({"a": finding}, 1, 1)
    assert watch.hopeless(1) == hopeless


@pytest.mark.parametrize(
    ("verdicts", "hopeless"),
    [("FFF", True), ("FF", False), ("FFUF", False), ("FFPFF", False), ("PFFF", True), ("UUU", False), ("FFUFFF", True)],
)
@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_check_that_is_to_fail_fast_ends_the_waiting_after_so_many_failures_in_a_row(
    verdicts: str, hopeless: bool, fail_fast: bool
) -> None:
    watch = Watch.of({"a": thresholds(failure_threshold=3, fail_fast=fail_fast), "b": thresholds()}, began=0)
    for number, letter in enumerate(verdicts):
        watch.note({"a": {"P": PASSED, "F": FAILED, "U": UNKNOWN}[letter]}, number, number)
    assert watch.hopeless(100) == (hopeless and fail_fast)


def test_a_check_that_does_not_pass_at_its_own_deadline_ends_the_waiting() -> None:
    watch = Watch.of({"a": thresholds(healthy_deadline=500), "b": thresholds(healthy_deadline=9000)}, began=1000)
    watch.note({"b": PASSED}, 1000, 1000)
    assert not watch.hopeless(1499)
    assert watch.hopeless(1500)
    assert watch.deadline == 10_000
    watch.note({"a": PASSED}, 1400, 1500)
    assert not watch.hopeless(9999)


def test_without_checks_there_is_nothing_to_wait_for() -> None:
    watch = Watch.of({}, began=7)
    assert (watch.healthy, watch.hopeless(7), watch.deadline) == (True, False, 7)


# --- whole verifications, in seconds ---------------------------------------------------------------------

RUNS = 100
TIMEOUT = 2.0
# What a check answers to a question of this moment: how long it takes, and what it finds.
Probe = Callable[[float], tuple[float, Finding]]


@dataclass
class Simulation:
    """The loop of ``verify``, without its threads and with a clock that only jumps."""

    probes: dict[str, Probe]
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        self.watch = Watch.of(dict.fromkeys(self.probes, self.thresholds), began=0.0)
        self.now = 0.0
        self._answers: list[tuple[float, float, str, float, Finding]] = []
        self._pausing: dict[str, tuple[float, float]] = {}

    def run(self) -> bool:
        """Whether it was healthy; ``now`` is when that was known."""
        for name in self.probes:
            self._ask(name, 0.0, first_interval(self.thresholds))
        while self._answers[0][0] < self.watch.deadline:
            self.now, asked_at, name, interval, finding = heapq.heappop(self._answers)
            self.watch.note({name: finding}, asked_at, self.now)
            if self.watch.healthy or self.watch.hopeless(self.now):
                return self.watch.healthy
            self._pausing[name] = (self.now + interval, longer(interval))
            self._wake()
        self.now = self.watch.deadline
        return False

    def _wake(self) -> None:
        """Every answer may shorten the pauses of all probes."""
        due = {n: self.now + self.watch.pause([n], at - self.now, self.now) for n, (at, _) in self._pausing.items()}
        # Ask those that no other answer can come before.
        for name, at in due.items():
            if not self._answers or at <= self._answers[0][0]:
                self._ask(name, at, self._pausing.pop(name)[1])

    def _ask(self, name: str, at: float, interval: float) -> None:
        took, finding = self.probes[name](at)
        heapq.heappush(self._answers, (at + took, at, name, interval, finding))


def starting(ready: float, took: float) -> Probe:
    """A service that refuses until it is ready, and then takes so long to answer."""
    return lambda asked_at: (took, PASSED) if asked_at >= ready else (0.001, FAILED)


def test_a_service_is_healthy_as_soon_as_its_slowest_answer_allows() -> None:
    """Without a window: it is ready after 0.1 s, and its health check takes 0.1 s to answer."""
    at_once = Thresholds(min_healthy_time=0.0)
    simulation = Simulation({"process": starting(0.0, 0.01), "health": starting(0.1, 0.1)}, at_once)
    assert simulation.run()
    assert simulation.now <= 0.1 + 0.044 + 0.1 + 0.011


def test_a_check_that_is_to_be_asked_rarely_is_asked_rarely_from_the_beginning() -> None:
    assert first_interval(Thresholds(interval=15.0)) == longer(15.0) == 15.0
    assert first_interval(Thresholds()) < first_interval(Thresholds(interval=0.2)) == 0.2


def test_a_failing_check_is_never_asked_without_a_pause() -> None:
    watch = Watch.of({"a": thresholds(failure_threshold=3), "b": thresholds()}, began=0)
    watch.note({"a": PASSED, "b": PASSED}, 0, 1)
    watch.note({"a": FAILED}, 100, 101)
    assert watch.pause(["a"], 50, 102) == 50


def steady(chance: random.Random) -> Probe:
    """What the manager says: quick, and well."""
    return lambda _: (chance.uniform(0.005, 0.04), PASSED)


def noisy(chance: random.Random) -> Probe:
    """Well, and up to as slow as the timeout allows; now and then too slow, but never three times in a row."""
    misses = 0

    def probe(_: float) -> tuple[float, Finding]:
        nonlocal misses
        misses = misses + 1 if misses < 2 and chance.random() < 0.15 else 0
        slow = chance.random() < 0.2
        return (TIMEOUT, FAILED) if misses else (chance.uniform(0.005, TIMEOUT if slow else 0.1), PASSED)

    return probe


def ending(probe: Probe, at: float, finding: Finding, took: float) -> Probe:
    """A check that finds this, so slowly, from the moment on at which the service ends."""

    def until_then(asked_at: float) -> tuple[float, Finding]:
        latency, found = probe(asked_at)
        return (took, finding) if asked_at + latency > at else (latency, found)

    return until_then


def test_a_healthy_service_is_never_given_up_however_noisy_its_answers_are() -> None:
    for seed in range(RUNS):
        chance = random.Random(seed)
        simulation = Simulation({"process": steady(chance), "health": noisy(chance), "api": noisy(chance)})
        assert simulation.run(), f"seed {seed}: a false alarm"
        assert simulation.now >= simulation.thresholds.min_healthy_time


@pytest.mark.parametrize(("finding", "took"), [(FAILED, 0.02), (FAILED, TIMEOUT), (UNKNOWN, 0.02), (PASSED, 3600.0)])
def test_a_service_that_ends_within_the_window_is_never_taken_for_healthy(finding: Finding, took: float) -> None:
    """It answers badly, late, nonsense, or never again."""
    for seed in range(RUNS):
        chance = random.Random(seed)
        health = ending(noisy(chance), chance.uniform(0, Thresholds().min_healthy_time), finding, took)
        simulation = Simulation({"process": steady(chance), "health": health, "api": noisy(chance)})
        assert not simulation.run(), f"seed {seed}: it was passed as healthy"


def test_a_crash_within_the_window_is_noticed_in_half_a_second() -> None:
    for seed in range(RUNS):
        chance = random.Random(seed)
        crash = chance.uniform(0, Thresholds().min_healthy_time)
        process = ending(steady(chance), crash, Finding("failed", final=True), 0.02)
        simulation = Simulation({"process": process, "health": noisy(chance), "api": noisy(chance)})
        assert not simulation.run(), f"seed {seed}: it was passed as healthy"
        assert simulation.now - crash < 0.5, f"seed {seed}: noticed late"


def test_a_setback_is_as_many_failures_in_a_row_as_end_a_window() -> None:
    watch = Watch.of({"a": thresholds(failure_threshold=2)}, 0)
    said = (FAILED, PASSED, FAILED, FAILED, FAILED, PASSED, UNKNOWN, UNKNOWN, PASSED)
    for moment, finding in enumerate(said):
        watch.note({"a": finding}, moment, moment)
    assert watch.states["a"].setbacks == 1
