"""The count of a phase that takes long: what it says, and that it replaces a line only where that is possible."""

from __future__ import annotations

import time

from rollback_ops.cli.output.counter import Counter
from tests.support.lab.ground import wait_until

SHOWN: list[str] = []


def counter() -> Counter:
    return Counter(SHOWN.append, SHOWN.append)


def in_seconds(count: Counter, seconds: float) -> str:
    return count.text(time.monotonic() + seconds)


def test_a_verification_says_how_long_it_may_take_and_what_it_waits_for() -> None:
    count = counter()
    count.begin("verify", 1)
    count.note("bot1", 20.0, "health: status 503")

    assert in_seconds(count, 4) == "verify 4 s of 20 s: health: status 503"


def test_one_of_several_hosts_is_named() -> None:
    count = counter()
    count.begin("verify", 2)
    count.note("bot1", 20.0, "health: status 503")
    count.note("bot2", 20.0, "process: restarting")

    assert "bot1 (of 2 hosts): health: status 503" in in_seconds(count, 4)

    count.forget("bot1")
    assert in_seconds(count, 4) == "verify 4 s of 20 s: process: restarting"


def test_a_phase_is_counted_from_its_first_second_to_the_end_of_its_last_host() -> None:
    count = counter()
    assert in_seconds(count, 5) == ""

    count.begin("switch", 2)
    assert in_seconds(count, 0) == ""
    assert in_seconds(count, 12) == "switch 12 s"

    count.forget("bot1")
    assert in_seconds(count, 12) == "switch 12 s"
    count.forget("bot2")
    assert in_seconds(count, 12) == ""


def test_a_terminal_is_shown_the_count_again_and_again_and_nothing_after_the_end() -> None:
    replaced: list[str] = []
    appended: list[str] = []
    count = Counter(replaced.append, appended.append)
    count.start(on_terminal=True)
    count.begin("survey", 0)

    wait_until(lambda: len(set(replaced)) > 1, 60, "the seconds being counted")
    count.stop()
    shown = len(replaced)

    assert not count._thread or not count._thread.is_alive()
    assert (len(replaced), appended) == (shown, [])
