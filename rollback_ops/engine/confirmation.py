"""Keeps a release that ``guard`` found healthy: confirms armed hosts, and marks it good where it is still live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.model import Note, Survey
from rollback_ops.core.run import RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.superseded import note_superseded


def too_early(state: RunState, seconds: float) -> list[str]:
    """Return a warning for each host that may go back by itself while metrics are watched for so many seconds."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return [
        f"{name}: it goes back by itself at {survey.armed.until}, but the metrics may take until {until:%H:%M:%S} UTC: "
        "arm it for longer, or confirm it yourself"
        for name, survey in state.surveys.items()
        if survey.armed and (fires := _time(survey.armed.until)) and fires < until
    ]


def keep(fleet: Fleet, state: RunState) -> list[str]:
    """Confirm the armed hosts, and mark the release that was judged good where it is still live.

    Hosts where another release is live now are noted as superseded. Returns the hosts on which it is unknown
    whether the release stays: they were armed and could not be confirmed, or do not answer any more. Nothing is
    marked there.
    """
    healthy = [name for name, found in state.watched.items() if found.healthy]
    errors = fleet.confirm([name for name in healthy if state.surveys[name].armed])
    state.warnings += [f"{name}: it could not be confirmed: {error.without(name)}" for name, error in errors.items()]
    # The checks have just shown what is live, under a lease. Metrics take minutes, without a lease.
    again = fleet.survey_again(healthy if state.evidence else errors)
    lives = {name: survey.live.name for name, survey in again.items() if isinstance(survey, Survey)}
    note_superseded(fleet, state, [name for name, live in lives.items() if live != state.surveys[name].live.name])
    lost = {name: error for name, error in again.items() if isinstance(error, RollbackOpsError)}
    state.warnings += [f"{name}: what is live now is unknown: {error.without(name)}" for name, error in lost.items()]
    left = [name for name in healthy if name not in state.superseded]
    unknown = [name for name in left if name in errors or name in lost]
    _mark(fleet, state, [name for name in left if name not in unknown])
    return unknown


def _mark(fleet: Fleet, state: RunState, names: list[str]) -> None:
    notes: dict[str, dict[str, tuple[Note, str]]] = {
        name: {state.surveys[name].live.name: ("good", "")} for name in names
    }
    errors = fleet.record(state.info.id, notes, "")
    state.warnings += [f"{name}: it could not be marked good: {error.message}" for name, error in errors.items()]


def _time(text: str) -> datetime | None:
    """Return the time that a host names; None where it is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
