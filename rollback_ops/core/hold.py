"""Holds: what must not be deployed for a while. Each host stores them as lines of JSON, by the run that set them. Pure.

Hosts may disagree, because one may have been down when a hold was set or lifted. A hold exists when one host has it,
and it is lifted when one host has it as lifted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import HeldRelease, Hold, Survey
from rollback_ops.core.revision import short

AfterRollback = Literal["bad", "all", "none"]

# Seconds for which a hold is stored after its end, so that no host brings it back.
_REMEMBERED = 30 * 86400.0
# The end of the year 9999: a hold that cannot be read has no end.
_NEVER = 253_402_300_799.0
_DAMAGED = "the hold that this host stores cannot be read"


@frozen
class HoldPolicy:
    """The hold that a rollback sets: on the release that it left, on everything, or none. ``seconds``: for how long."""

    after_rollback: AfterRollback = "bad"
    seconds: float = 86400.0


def line_of(hold: Hold) -> str:
    """Return a hold as a host keeps it: one line of JSON, without its id."""
    return json.dumps({k: v for k, v in asdict(hold).items() if k not in ("id", "readable")}, separators=(",", ":"))


def parse(run: str, line: str) -> Hold:
    """Read a hold that a host stores. One that cannot be read is a hold on everything, until somebody lifts it."""
    try:
        found = json.loads(line)
        releases = tuple(HeldRelease(_text(each, "release"), _text(each, "revision")) for each in found["releases"])
        since, until = float(found["since"]), float(found["until"])
        words = (_text(found, key) for key in ("by", "reason", "lifted_by", "lifted_because"))
        by, reason, lifted_by, lifted_because = words
    except (ValueError, KeyError, TypeError, RecursionError):
        return Hold(run, "", _DAMAGED, 0.0, _NEVER, readable=False)
    if not 0 <= since <= until <= _NEVER:
        return Hold(run, "", _DAMAGED, 0.0, _NEVER, readable=False)
    return Hold(run, by, reason, since, until, releases, lifted_by, lifted_because)


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found[key]
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def merged(surveys: Iterable[Survey]) -> tuple[Hold, ...]:
    """Return the holds of all hosts together, the latest first."""
    known: dict[str, Hold] = {}
    for survey in surveys:
        for hold in survey.holds:
            other = known.get(hold.id)
            known[hold.id] = hold if other is None else max(other, hold, key=_precedence)
    return tuple(sorted(known.values(), key=lambda hold: (hold.since, hold.id), reverse=True))


def _precedence(hold: Hold) -> tuple[bool, bool, float]:
    return bool(hold.lifted_by), hold.readable, hold.until


def standing(holds: Iterable[Hold], now: float) -> tuple[Hold, ...]:
    """Return the holds that are neither lifted nor expired."""
    return tuple(hold for hold in holds if not hold.lifted_by and hold.until > now)


def expired(holds: Iterable[Hold], now: float) -> tuple[Hold, ...]:
    """Return the holds that nobody lifted, and whose time is over."""
    return tuple(hold for hold in holds if not hold.lifted_by and hold.until <= now)


def repairs(survey: Survey, known: Sequence[Hold], now: float) -> tuple[tuple[Hold, ...], tuple[str, ...]]:
    """Return the holds that a host lacks or stores differently, and the ids of those that it can remove."""
    has = set(survey.holds)
    old = {hold.id for hold in known if hold.until + _REMEMBERED < now}
    lacking = tuple(hold for hold in known if hold not in has and hold.id not in old and hold.readable)
    return lacking, tuple(hold.id for hold in survey.holds if hold.id in old)


def lift(hold: Hold, by: str, because: str, now: float) -> Hold:
    """Return the hold as a lifted one. One that could not be read ends now."""
    until = hold.until if hold.readable else now
    return replace(hold, lifted_by=by, lifted_because=because, until=until, readable=True)


def about(hold: Hold) -> str:
    """Name the releases that a hold is about, or everything."""
    if not hold.releases:
        return "everything"
    return ", ".join(
        f"{each.release} ({short(each.revision)})" if each.revision else each.release for each in hold.releases
    )
