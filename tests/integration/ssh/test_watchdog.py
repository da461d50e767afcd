"""Time limits for calls that have none."""

from __future__ import annotations

import threading

import pytest

from rollback_ops.hosts.ssh.watchdog import Watchdog
from tests.support.lab.ground import wait_until

HOUR = 3600.0


def test_each_watchdog_closes_its_own_connection_when_its_own_time_is_over() -> None:
    closed, hung = threading.Event(), threading.Event()
    patient = Watchdog(HOUR, lambda: None)
    with patient, Watchdog(0.01, lambda: hung.wait(60)) as first, Watchdog(0.02, closed.set) as second:
        # A connection that takes long to close holds up no other.
        assert closed.wait(60)
        hung.set()
        wait_until(lambda: first.expired and second.expired, 60, "both to expire", interval=0.01)
    assert not patient.expired


def test_a_call_that_ended_in_time_closes_nothing() -> None:
    ended, late, other = threading.Event(), threading.Event(), threading.Event()
    with Watchdog(0.2, lambda: late.set() if ended.is_set() else None):
        pass
    ended.set()
    with Watchdog(0.4, other.set):
        assert other.wait(60)
    assert not late.is_set()


def test_what_a_connection_says_when_it_is_closed_is_nobody_s_concern() -> None:
    def fails() -> None:
        raise OSError

    with Watchdog(0.01, fails) as expired:
        wait_until(lambda: expired.expired, 60, "the end of its time", interval=0.01)


def test_a_connection_is_closed_late_where_no_thread_can_be_started_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused, closed, again = threading.Thread.start, threading.Event(), threading.Event(), threading.Event()

    def refuse(thread: threading.Thread) -> None:
        if refused.is_set():
            return start(thread)
        refused.set()
        raise RuntimeError("can't start new thread")

    with Watchdog(HOUR, lambda: None), Watchdog(0.2, closed.set):
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert closed.wait(60)
        assert refused.is_set()
        with Watchdog(0.01, again.set):
            assert again.wait(60)
