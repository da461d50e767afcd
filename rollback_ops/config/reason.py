"""The reason of a rollback. A person has to give one; emergencies and automatic rollbacks run without."""

from __future__ import annotations

from typing import NamedTuple

from rollback_ops.config.request import Request
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import PERSONAL_TRIGGERS
from rollback_ops.core.text import fits_one_line, one_line

SHORTEST, LONGEST = 3, 1_000
# Chats and word processors write these instead of the usual space.
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "))

_HINT = 'Give the reason in one line, with --reason or ROLLBACK_REASON: --reason "login fails since 14:05".'


class Reason(NamedTuple):
    """The text for the record. ``warning`` says how the given text was changed; empty when it was not."""

    text: str
    warning: str = ""


def reason_for(request: Request) -> Reason:
    """Return the reason for the record.

    Raises ``UsageError`` when a person gives none, or one that cannot be recorded as it is. A dry run, an emergency
    and an automatic rollback are never refused because of their reason: it is made to fit, or replaced.
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


def is_missing(request: Request) -> bool:
    """Return whether a person has to give a reason, and gave none."""
    automatic = request.trigger not in PERSONAL_TRIGGERS
    return not (automatic or request.resume or request.emergency or request.dry_run or request.reason.strip())


def _required(text: str) -> str:
    count = f"{len(text):,} character{'s' * (len(text) != 1)}"
    if not text:
        raise UsageError("a reason is needed, and none was given", _HINT)
    if len(text.splitlines()) > 1:
        raise UsageError(f"the reason has {len(text.splitlines())} lines; it should be one", _HINT)
    for position, character in enumerate(text, 1):
        if _breaks_text(character):
            code = f"U+{ord(character):04X}"
            raise UsageError(f"the reason has a control character ({code}) at position {position}", _HINT)
    if len(text) < SHORTEST:
        raise UsageError(f"the reason has {count}; it should have at least {SHORTEST}", _HINT)
    if len(text) > LONGEST:
        raise UsageError(f"the reason has {count}; it should have at most {LONGEST:,}", _HINT)
    return text


def _breaks_text(character: str) -> bool:
    """Return whether a character breaks a line, a terminal or an encoding. Messages show invisible ones as escapes."""
    from unicodedata import category

    return category(character) in ("Cc", "Cs", "Zl", "Zp")


def fitting(text: str, instead: str = "") -> Reason:
    """Make text fit for the record: one line, at most ``LONGEST`` characters. ``instead`` replaces empty text."""
    text = _with_plain_spaces(text)
    plain = one_line(text, spaces=True).strip()
    if not plain:
        return Reason(instead)
    done = ["control and invisible characters became spaces"] if not fits_one_line(text) else []
    if len(plain) > LONGEST:
        done.append(f"it was cut from {len(plain):,} characters to {LONGEST:,}")
    return Reason(plain[:LONGEST], f"the reason was changed: {', and '.join(done)}" if done else "")


def _with_plain_spaces(text: str) -> str:
    return text.translate(_SPACES).strip()
