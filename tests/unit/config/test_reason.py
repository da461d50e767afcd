"""Reasons: demanded of people, never in the way of what is urgent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollback_ops.config.reason import Reason, reason_for
from rollback_ops.config.request import Request
from rollback_ops.core.errors import Exit, UsageError
from rollback_ops.core.record import Trigger

UNFIT = ["", "  ", "\n", "ab", "a" * 1001, "two\nlines", "bell\x07", "\x1b[31mred"]


@pytest.mark.parametrize("trigger", ["manual", "workflow"])
@pytest.mark.parametrize("backup", ["", "backup_1"])
@pytest.mark.parametrize(
    "reason", ["bug", "a" * 1000, "$(reboot); `id` && 'x' \"y\" ${z} | > <", "🚑🔥👩‍💻", "ça marche pas"]
)
def test_a_reason_is_kept_to_the_letter(trigger: Trigger, backup: str, reason: str) -> None:
    assert reason_for(Request("prod", trigger=trigger, backup=backup, reason=f" {reason}\n")) == Reason(reason)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "a rollback needs a reason, and none was given"),
        (" \t\n ", "a rollback needs a reason, and none was given"),
        ("x", "the reason has 1 character; it should have at least 3"),
        (" ab ", "the reason has 2 characters; it should have at least 3"),
        ("a" * 1001, "the reason has 1,001 characters; it should have at most 1,000"),
        ("one\ntwo\r\nthree", "the reason has 3 lines; it should be one"),
        ("one\u2028two", "the reason has 2 lines; it should be one"),
        ("bell \x07", "the reason has a control character at position 6"),
        ("a\tb c", "the reason has a control character at position 2"),
        ("\x1b[31mred", "the reason has a control character at position 1"),
        ("not \udce9 UTF-8", "the reason has a control character at position 5"),
    ],
)
def test_a_person_is_told_what_is_wrong_with_the_reason(reason: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        reason_for(Request("prod", reason=reason))
    assert caught.value.message == words
    assert caught.value.exit_code == Exit.USAGE
    assert "--reason" in caught.value.hint


@pytest.mark.parametrize("reason", UNFIT)
@pytest.mark.parametrize(
    "request_",
    [Request("prod", emergency=True), Request("prod", dry_run=True), Request("prod", trigger="process-crash")],
    ids=["emergency", "dry run", "automatic"],
)
def test_what_is_urgent_or_changes_nothing_is_never_held_up_by_its_reason(request_: Request, reason: str) -> None:
    text = reason_for(replace(request_, reason=reason)).text
    assert 0 < len(text) <= 1000
    assert text.isprintable()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request("prod", trigger="verification-failed"), Reason("automatic: verification failed")),
        (Request("prod", trigger="verification-failed", emergency=True), Reason("automatic: verification failed")),
        (Request("prod", trigger="log-error", reason="seen in the log"), Reason("seen in the log")),
        (Request("prod", emergency=True), Reason("emergency: no reason was given")),
        (Request("prod", emergency=True, reason="x"), Reason("x")),
        (Request("prod", resume=True), Reason("resume: the interrupted rollback is finished")),
        (Request("prod", resume=True, reason="power is back"), Reason("power is back")),
        (Request("prod", dry_run=True), Reason("dry run")),
        (
            Request("prod", emergency=True, reason="\x1b[31mred\nalert\x07"),
            Reason("[31mred alert", "the reason was changed: control characters became spaces"),
        ),
        (
            Request("prod", emergency=True, reason="é" * 1200),
            Reason("é" * 1000, "the reason was changed: it was cut from 1,200 characters to 1,000"),
        ),
        (
            Request("prod", trigger="log-error", reason="a\n" + "b" * 1000),
            Reason(
                "a " + "b" * 998,
                "the reason was changed: control characters became spaces, "
                "and it was cut from 1,002 characters to 1,000",
            ),
        ),
        (Request("prod", emergency=True, reason="\udce9"), Reason("emergency: no reason was given")),
    ],
)
def test_a_reason_that_may_not_stop_anything_is_made_to_fit(request_: Request, reason: Reason) -> None:
    assert reason_for(request_) == reason
