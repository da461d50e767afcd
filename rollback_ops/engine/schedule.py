"""Scheduled rollbacks: those that a host keeps in its journal, and the reasons not to carry one out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal

from pydantic import ValidationError
from pydantic_core import from_json

from rollback_ops.core.frozen import frozen
from rollback_ops.core.gate import candidate, objections
from rollback_ops.core.model import ServiceId, Survey
from rollback_ops.core.ports import Host
from rollback_ops.core.schedule import Note, ScheduledRollback, ScheduleEntry
from rollback_ops.core.versions import Versions

# How a line of ours begins in a journal.
_BEGINS = '{"event":"schedule",'


class JournalSchedule:
    """The entries of one service and environment, in the journal of one host. The order of its lines decides."""

    def __init__(self, host: Host, about: ServiceId) -> None:
        self._host = host
        self._about = about

    def add(self, asked: ScheduledRollback) -> None:
        """Append the entry."""
        self._append(asked, {"entry": asked.model_dump(mode="json")})

    def note(self, asked: ScheduledRollback, note: Note) -> None:
        """Append a note."""
        self._append(asked, {"note": note.model_dump(mode="json")})

    def entries(self) -> list[ScheduleEntry]:
        """Return the entries in the order in which they are due."""
        return entries_in(self._host.journal(), self._about)

    def again(self, asked: ScheduledRollback) -> ScheduleEntry:
        """Read the journal again."""
        return next((each for each in self.entries() if each.asked.id == asked.id), ScheduleEntry(asked))

    def _append(self, asked: ScheduledRollback, part: dict[str, object]) -> None:
        about = {"id": asked.id, "service": self._about.service, "environment": self._about.environment}
        line = json.dumps({"event": "schedule", **about, **part}, separators=(",", ":"))
        self._host.record(asked.id, {}, line)


def entries_in(lines: Iterable[str], about: ServiceId) -> list[ScheduleEntry]:
    """Return the entries of a service and environment in the lines of a journal, in the order in which they are due."""
    asked: dict[str, ScheduledRollback] = {}
    notes: dict[str, list[Note]] = defaultdict(list)
    for line in lines:
        match _read(line, about):
            case (str(run), Note() as note):
                notes[run].append(note)
            case (str(run), ScheduledRollback() as entry) if entry.id == run:
                asked.setdefault(run, entry)
    entries = [ScheduleEntry(each, tuple(notes[run])) for run, each in asked.items()]
    return sorted(entries, key=lambda entry: entry.asked.due)


def _read(line: str, about: ServiceId) -> tuple[str, ScheduledRollback | Note] | None:
    if not line.startswith(_BEGINS):
        return None
    try:
        found = from_json(line)
        if (found["service"], found["environment"]) != (about.service, about.environment):
            return None
        if "entry" in found:
            return str(found["id"]), ScheduledRollback.model_validate(found["entry"])
        return str(found["id"]), Note.model_validate(found["note"])
    except (ValidationError, ValueError, KeyError, TypeError):
        return None


@frozen
class ScheduleBlocker:
    """Why an entry is not carried out now. ``stale``: never; ``waiting``: the obstacle may pass by itself."""

    what: Literal["stale", "waiting"]
    why: str


def schedule_blocker(
    asked: ScheduledRollback, surveys: Sequence[Survey], lost: Collection[str], now: float
) -> ScheduleBlocker | None:
    """Return why a scheduled rollback cannot be carried out on the hosts as they are now; None when it can.

    A host that cannot be reached makes it wait: what is unknown speaks neither for the rollback nor against it.
    """
    versions = Versions(surveys)
    if held := next(_in_the_way(surveys), None):
        return held
    for survey in surveys:
        if survey.live.name not in _names(versions, asked.live, survey):
            live = survey.live.name or survey.live.state
            return ScheduleBlocker("stale", f"{survey.host}: {asked.live} is not live any more, {live} is")
        if not any(survey.release(name) for name in _names(versions, asked.to, survey)):
            return ScheduleBlocker("stale", f"{survey.host}: {asked.to} is not there any more")
    wanted = candidate(asked.to_revision, asked.to, {asked.environment: surveys}, asked.environment)
    for against in objections(wanted, {asked.environment: surveys}, asked.environment, now):
        return ScheduleBlocker("stale", against.why)
    return ScheduleBlocker("waiting", f"{', '.join(lost)} cannot be reached") if lost else None


def _names(versions: Versions, wanted: str, survey: Survey) -> list[str]:
    """Return the names that a release or a revision has on a host."""
    labels = versions.find(wanted)
    return [release.name for release in survey.releases if versions.label(survey.host, release.name) in labels]


def _in_the_way(surveys: Sequence[Survey]) -> Iterator[ScheduleBlocker]:
    for survey in surveys:
        if lease := survey.lease:
            yield ScheduleBlocker(
                "waiting", f"{survey.host} is held by {lease.owner or 'another run'} (run {lease.run})"
            )
        if armed := survey.armed:
            yield ScheduleBlocker(
                "waiting", f"{survey.host} is armed until {armed.until}: somebody watches a deployment"
            )
        if survey.deploying:
            yield ScheduleBlocker("waiting", f"{survey.host}: {survey.deploying[0]}")
        if survey.interrupted:
            yield ScheduleBlocker("waiting", f"{survey.host}: a rollback was interrupted, and `resume` finishes it")
        if survey.open_drill:
            yield ScheduleBlocker(
                "waiting", f"{survey.host}: a drill has not gone forward again, and `resume` finishes it"
            )
