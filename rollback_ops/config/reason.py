"""The reason of a rollback. A person has to give one; emergencies and automatic rollbacks go on without."""

from __future__ import annotations

from typing import NamedTuple

from rollback_ops.config.request import Request
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import PERSONAL_TRIGGERS
from rollback_ops.core.text import fits_one_line, one_line

SHORTEST, LONGEST = 3, 1_000
# Chats and word processors write them in place of the usual space.
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "))

_HINT = 'Say in one line why, with --reason or ROLLBACK_REASON: --reason "login fails since 14:05".'


class Reason(NamedTuple):
    """``warning`` says how the text was changed; empty when it was not."""

    text: str
    warning: str = ""


def reason_for(request: Request) -> Reason:
    """The reason that goes into the record.

    Raises ``UsageError`` when a person's rollback has none, or one that cannot be recorded as it is. A dry run,
    an emergency and an automatic rollback go on with what there is.
    """
    if request.trigger not in PERSONAL_TRIGGERS:
        return fitting(request.reason, f"automatic: {request.trigger.replace('-', ' ')}")
    if request.resume:
        return fitting(request.reason, "resume: the interrupted rollback is finished")
    if request.emergency:
        return fitting(request.reason, "emergency: no reason was given")
    if request.dry_run:
        return fitting(request.reason, "dry run")
    return Reason(_required(_with_plain_spaces(request.reason)))


def _required(text: str) -> str:
    count = f"{len(text):,} character{'s' * (len(text) != 1)}"
    if not text:
        raise UsageError("a rollback needs a reason, and none was given", _HINT)
    if len(text.splitlines()) > 1:
        raise UsageError(f"the reason has {len(text.splitlines())} lines; it should be one", _HINT)
    if not fits_one_line(text):
        position = next(number for number, c in enumerate(text, 1) if not fits_one_line(c))
        raise UsageError(f"the reason has a control character at position {position}", _HINT)
    if len(text) < SHORTEST:
        raise UsageError(f"the reason has {count}; it should have at least {SHORTEST}", _HINT)
    if len(text) > LONGEST:
        raise UsageError(f"the reason has {count}; it should have at most {LONGEST:,}", _HINT)
    return text


def fitting(text: str, instead: str = "") -> Reason:
    """Make a text fit for the record: one line, and not too long. ``instead`` replaces an empty one."""
    text = _with_plain_spaces(text)
    plain = one_line(text, spaces=True).strip()
    if not plain:
        return Reason(instead)
    done = ["control characters became spaces"] if not fits_one_line(text) else []
    if len(plain) > LONGEST:
        done.append(f"it was cut from {len(plain):,} characters to {LONGEST:,}")
    return Reason(plain[:LONGEST], f"the reason was changed: {', and '.join(done)}" if done else "")


def _with_plain_spaces(text: str) -> str:
    return text.translate(_SPACES).strip()
