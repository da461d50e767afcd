"""Concurrent work on several subjects, with a deadline and a cancellation."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from rollback_ops.core.errors import Cancelled, ConnectionLost, HostUnreachable, Refused
from rollback_ops.core.tasks import Cancellation, begin, each


@pytest.fixture
def for_ever() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_each_subject_has_its_result() -> None:
    assert each("abc", str.upper, 5, Cancellation()) == {"a": "A", "b": "B", "c": "C"}


def test_without_subjects_there_are_no_results() -> None:
    assert each((), str.upper, 5, Cancellation()) == {}


def test_all_subjects_are_worked_on_concurrently() -> None:
    meeting = threading.Barrier(20)
    found = each(range(20), lambda _: meeting.wait(60), 10, Cancellation())
    assert sorted(str(number) for number in found.values()) == sorted(map(str, range(20)))


def test_work_begins_before_its_results_are_requested() -> None:
    began = threading.Event()
    begun = begin("a", lambda _: began.set())
    assert began.wait(60)
    assert begun.results(5, Cancellation()) == {"a": None}


def test_one_subjects_failure_leaves_the_others_alone() -> None:
    refusal = Refused("no")

    def work(name: str) -> str:
        if name == "b":
            raise refusal
        return name

    assert each("abc", work, 5, Cancellation()) == {"a": "a", "b": refusal, "c": "c"}


def test_a_subject_that_hangs_is_abandoned_at_the_deadline_and_the_others_count(for_ever: threading.Event) -> None:
    began = time.monotonic()
    found = each("abc", lambda name: for_ever.wait(30) if name == "a" else name, 0.1, Cancellation())
    assert 0.1 <= time.monotonic() - began < 10
    assert isinstance(found.pop("a"), ConnectionLost)
    assert found == {"b": "b", "c": "c"}


def test_many_subjects_that_hang_share_one_deadline(for_ever: threading.Event) -> None:
    began = time.monotonic()
    found = each(range(30), lambda _: for_ever.wait(30), 0.1, Cancellation())
    assert time.monotonic() - began < 10
    assert all(isinstance(outcome, ConnectionLost) for outcome in found.values())


def test_a_defect_is_raised_to_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        each([1, 0], lambda number: 1 / number, 5, Cancellation())


def test_a_signal_ends_the_waiting_at_once(for_ever: threading.Event) -> None:
    cancellation = Cancellation()

    def work(_: str) -> bool:
        cancellation.ask(signal.SIGTERM, grace=20)
        return for_ever.wait(30)

    began = time.monotonic()
    with pytest.raises(Cancelled) as caught:
        each("a", work, 20, cancellation)
    assert caught.value.exit_code == 143
    assert time.monotonic() - began < 10


def test_work_that_must_finish_is_awaited_after_a_signal() -> None:
    cancellation = Cancellation()
    go_on = threading.Event()
    cancellation.ask(signal.SIGINT, grace=20)
    begun = begin("a", lambda _: go_on.wait(60))
    threading.Timer(0.1, go_on.set).start()
    assert begun.results(20, cancellation, finish=True) == {"a": True}


def test_work_that_outlasts_the_grace_has_an_unknown_result(for_ever: threading.Event) -> None:
    cancellation = Cancellation()
    cancellation.ask(signal.SIGINT, grace=0.2)
    began = time.monotonic()
    found = each("ab", lambda name: for_ever.wait(30) if name == "a" else name, 20, cancellation, finish=True)
    assert time.monotonic() - began < 10
    assert isinstance(found["a"], ConnectionLost)
    assert found["b"] == "b"


def test_a_second_signal_shortens_the_grace_and_never_lengthens_it() -> None:
    cancellation = Cancellation()
    assert (cancellation.asked, cancellation.leave_at) == (False, float("inf"))
    cancellation.check()
    cancellation.ask(signal.SIGINT, grace=6)
    first = cancellation.leave_at
    cancellation.ask(signal.SIGTERM, grace=2)
    second = cancellation.leave_at
    cancellation.ask(signal.SIGINT, grace=6)
    assert time.monotonic() < cancellation.leave_at == second < first
    assert cancellation.wait(60)


def test_a_cancellation_inside_the_work_is_raised_and_no_failure() -> None:
    def work(_: str) -> None:
        raise Cancelled(signal.SIGINT)

    with pytest.raises(Cancelled):
        each("a", work, 5, Cancellation(), finish=True)


def test_no_more_subjects_are_worked_on_at_the_same_time_than_allowed() -> None:
    meeting, lock, there, most = threading.Barrier(3), threading.Lock(), 0, 0

    def work(number: int) -> int:
        nonlocal there, most
        with lock:
            there += 1
            most = max(most, there)
        meeting.wait(30)
        with lock:
            there -= 1
        return number

    found = each(range(9), work, 30, Cancellation(), at_once=3)
    assert (found, most) == ({number: number for number in range(9)}, 3)


def test_subjects_whose_turn_does_not_come_in_time_are_never_begun(for_ever: threading.Event) -> None:
    begun: list[int] = []

    def work(number: int) -> bool:
        begun.append(number)
        return for_ever.wait(30)

    found = each(range(4), work, 0.1, Cancellation(), at_once=1)
    for_ever.set()
    assert isinstance(found[0], ConnectionLost)
    assert [type(found[number]) for number in (1, 2, 3)] == [HostUnreachable] * 3
    assert begun == [0]


def test_after_a_signal_nothing_else_is_begun(for_ever: threading.Event) -> None:
    cancellation = Cancellation()
    begun: list[int] = []

    def work(number: int) -> bool:
        begun.append(number)
        return for_ever.wait(30)

    cancellation.ask(signal.SIGTERM, grace=0.1)
    found = each(range(3), work, 30, cancellation, finish=True, at_once=1)
    for_ever.set()
    assert [type(found[number]) for number in range(3)] == [ConnectionLost, HostUnreachable, HostUnreachable]
    assert begun == [0]


def test_turns_have_the_order_of_the_subjects() -> None:
    begun: list[int] = []
    each(range(20), begun.append, 60, Cancellation(), at_once=1)
    assert begun == list(range(20))


@pytest.mark.parametrize("threads", [1, 2])
def test_where_few_threads_can_be_started_they_do_the_work_of_all(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    start, left = threading.Thread.start, iter(range(threads))

    def scarce(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    assert each("abcde", str.upper, 60, Cancellation(), at_once=3) == {name: name.upper() for name in "abcde"}


def test_where_no_thread_can_be_started_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    found = each("abc", done.append, 60, Cancellation())
    assert ([type(each) for each in found.values()], done) == ([HostUnreachable] * 3, [])
