"""Why a rollback was asked for: a person has to say it, and nothing that is urgent waits for it."""

from __future__ import annotations

from typing import NamedTuple

from rollback_ops.config.request import Request
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import Trigger

SHORTEST, LONGEST = 3, 1_000
PERSONAL_TRIGGERS: tuple[Trigger, ...] = ("manual", "workflow")

_HINT = 'Say in one line why, with --reason or ROLLBACK_REASON: --reason "login fails since 14:05".'


class Reason(NamedTuple):
    """``warning`` says what had to be done to the text; empty when nothing was."""

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
        return fitting(request.reason, "resume: what was interrupted is finished")
    if request.emergency:
        return fitting(request.reason, "emergency: no reason was given")
    if request.dry_run:
        return fitting(request.reason, "dry run")
    return Reason(_demanded(request.reason.strip()))


def _demanded(text: str) -> str:
    count = f"{len(text):,} character{'s' * (len(text) != 1)}"
    if not text:
        raise UsageError("a rollback needs a reason, and none was given", _HINT)
    if len(text.splitlines()) > 1:
        raise UsageError(f"the reason has {len(text.splitlines())} lines; it should be one", _HINT)
    if any(map(_is_control, text)):
        position = next(number for number, c in enumerate(text, 1) if _is_control(c))
        raise UsageError(f"the reason has a control character at position {position}", _HINT)
    if len(text) < SHORTEST:
        raise UsageError(f"the reason has {count}; it should have at least {SHORTEST}", _HINT)
    if len(text) > LONGEST:
        raise UsageError(f"the reason has {count}; it should have at most {LONGEST:,}", _HINT)
    return text


def fitting(text: str, instead: str = "") -> Reason:
    """A text made to fit into the record: one line, and not too long."""
    plain = "".join(" " if _is_control(c) else c for c in text).strip()
    if not plain:
        return Reason(instead)
    done = ["control characters became spaces"] if any(map(_is_control, text.strip())) else []
    if len(plain) > LONGEST:
        done.append(f"it was cut from {len(plain):,} characters to {LONGEST:,}")
    return Reason(plain[:LONGEST], f"the reason was changed: {', and '.join(done)}" if done else "")


def _is_control(character: str) -> bool:
    """Controls, line separators, lone surrogates: what would break a line, a terminal or an encoding."""
    from unicodedata import category

    return category(character) in ("Cc", "Cs", "Zl", "Zp")
