"""Reasons: required from people; no emergency or automatic rollback is refused for its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollback_ops.config.reason import Reason, reason_for
from rollback_ops.config.request import Request
from rollback_ops.core.errors import Exit, UsageError
from rollback_ops.core.model import Trigger
from tests.support.settings_files import holds

UNFIT = ["", "  ", "\n", "ab", "a" * 1001, "two\nlines", "bell\x07", "\x1b[31mred"]


@pytest.mark.parametrize("trigger", ["manual", "workflow"])
@pytest.mark.parametrize("backup", ["", "backup_1"])
@pytest.mark.parametrize(
    "reason",
    ["bug", "a" * 1000, "$(reboot); `id` && 'x' \"y\" ${z} | > <", "🚑🔥👩‍💻", "ça marche pas", "zero\u200bwidth"],
)
def test_a_fit_reason_is_recorded_unchanged(trigger: Trigger, backup: str, reason: str) -> None:
    assert reason_for(Request("prod", trigger=trigger, backup=backup, reason=f" {reason}\n")) == Reason(reason)


@pytest.mark.parametrize(
    ("reason", "facts"),
    [
        ("", "none"),
        (" \t\n ", "none"),
        ("x", "1 character … 3"),
        (" ab ", "2 characters … 3"),
        ("a" * 1001, "1,001 characters … 1,000"),
        ("one\ntwo\r\nthree", "3 lines"),
        ("one\u2028two", "2 lines"),
        ("bell \x07", "U+0007 … position 6"),
        ("a\tb c", "U+0009 … position 2"),
        ("\x1b[31mred", "U+001B … position 1"),
        ("not \udce9 UTF-8", "U+DCE9 … position 5"),
    ],
)
def test_an_unfit_reason_of_a_person_is_refused_with_its_fault(reason: str, facts: str) -> None:
    with pytest.raises(UsageError) as caught:
        reason_for(Request("prod", reason=reason))
    assert holds(caught.value.message, f"reason … {facts}")
    assert caught.value.exit_code == Exit.USAGE
    assert "--reason" in caught.value.hint


@pytest.mark.parametrize("reason", UNFIT)
@pytest.mark.parametrize(
    "request_",
    [Request("prod", emergency=True), Request("prod", dry_run=True), Request("prod", trigger="process-crash")],
    ids=["emergency", "dry run", "automatic"],
)
def test_emergencies_dry_runs_and_automatic_rollbacks_are_never_refused_for_their_reason(
    request_: Request, reason: str
) -> None:
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
            Reason("[31mred alert", "spaces"),
        ),
        (
            Request("prod", emergency=True, reason="é" * 1200),
            Reason("é" * 1000, "1,200 … 1,000"),
        ),
        (
            Request("prod", trigger="log-error", reason="a\n" + "b" * 1000),
            Reason(
                "a " + "b" * 998,
                "spaces … 1,002 … 1,000",
            ),
        ),
        (Request("prod", emergency=True, reason="\udce9"), Reason("emergency: no reason was given")),
    ],
)
def test_a_reason_that_is_not_required_is_replaced_or_made_to_fit(request_: Request, reason: Reason) -> None:
    text, warning = reason_for(request_)
    assert text == reason.text
    assert holds(warning, reason.warning)
    assert bool(warning) == bool(reason.warning)
