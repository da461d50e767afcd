"""The journal on a host: records, and the events of runs that have no record.

A break-glass rollback writes events only; its last one, ``verdict``, says how it ended.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from pydantic_core import from_json

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import ServiceId, StepReport
from rollback_ops.core.reading import composed, read_record
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo

Event = dict[str, Any]

# Bytes. Hosts cut longer lines (agent/sh/journal.sh).
_LONGEST_LINE = 60_000
# How the line of a record begins.
_RECORD = re.compile(r'\{"schema_version":\d{1,9},"id":"([^"\\]{1,128})"')

_ABOUT = ("service", "environment")
_FACTS = tuple(fact.name for fact in fields(RunInfo))


def read_journal(lines: Iterable[str], about: ServiceId | None = None) -> tuple[list[Record], int]:
    """Return the records in a journal, newest first, and how many of its lines could not be read.

    The record of a run without one is made from its events: with the outcome of its ``verdict``, or ``cancelled``
    where it has none (the machine that ran it was lost). The same run read from several hosts counts once.
    With ``about``, the records of other services and environments are left out.
    """
    records, unreadable = _read(lines)
    ours = [record for record in records if about in (None, record.about)]
    return sorted(ours, key=lambda record: record.started_at, reverse=True), unreadable


def steps_of(lines: Iterable[str], run: str, about: ServiceId) -> tuple[StepReport, ...]:
    """Return the steps that a run took on a host so far, also while it is going on."""
    marker = f'{{"event":"step","id":"{run}",'
    events = [entry for line in lines if line.startswith(marker) and isinstance(entry := _entry(line), dict)]
    ours = (event for event in events if tuple(event.get(key) for key in _ABOUT) == (about.service, about.environment))
    return tuple(step for event in ours if (step := _step(event)))


@frozen
class RunEvent:
    """One event of a run in the journal of a host. ``at``: RFC 3339; empty where the event has none.

    ``about``: the step, check or release that it is about. ``seconds``: how long it took; None where that is not known.
    """

    at: str
    what: str
    about: str
    outcome: str
    seconds: float | None
    detail: str


def events_of(lines: Iterable[str], run: str, about: ServiceId) -> list[RunEvent]:
    """Return the events of a run on a host, in the order in which they were written."""
    found = (_entry(line) for line in lines if line.startswith('{"event":') and f'"id":"{run}"' in line)
    ours = (
        event
        for event in found
        if isinstance(event, dict)
        and event.get("id") == run
        and (event.get("service"), event.get("environment")) == (about.service, about.environment)
    )
    return [_told(event) for event in ours]


def last_run(lines: Iterable[str], about: ServiceId) -> str:
    """Return the run that was the last one to change a host; empty where there was none."""
    return next((str(each.get("id")) for each in reversed(first_intents(lines, about))), "")


def _told(event: Event) -> RunEvent:
    def text(*keys: str) -> str:
        return next((str(event[key]) for key in keys if event.get(key)), "")

    seconds = event.get("seconds", event.get("duration"))
    ends = f"{text('from')} → {text('to')}" if event["event"] == "intent" else ""
    return RunEvent(
        text("at"),
        text("event"),
        text("step", "name", "release"),
        text("outcome"),
        float(seconds) if isinstance(seconds, int | float) else None,
        ends or text("detail", "why", "text"),
    )


def _step(event: Event) -> StepReport | None:
    match event:
        case {"step": str(name), "outcome": "ok" | "warning" | "failed" as outcome, "seconds": int() | float() as took}:
            return StepReport(name, outcome, float(took), str(event.get("detail", "")))
    return None


def _read(lines: Iterable[str]) -> tuple[list[Record], int]:
    records: dict[str, Record] = {}
    runs: dict[str, list[Event]] = defaultdict(list)
    too_long: set[str] = set()
    unreadable = 0
    for line in filter(str.strip, lines):
        match _entry(line):
            case Record() as record:
                records[record.id] = record
            case {"event": str(event), "id": str(run), **words}:
                runs[run].append({str(key): value for key, value in words.items()} | {"event": event, "id": run})
            case _:
                unreadable += 1
                too_long |= _run_of_cut(line)
    for run, events in runs.items():
        if run in records or run in too_long or not _all(events, "intent"):
            continue
        if told := _from_events(events):
            records[run] = told
        else:
            unreadable += 1
    return list(records.values()), unreadable


def first_intents(lines: Iterable[str], about: ServiceId) -> list[Mapping[str, Any]]:
    """Return the first intent of each run that was to change a host, in the order in which they were written."""
    intents = [entry for line in lines if '"event":"intent"' in line and isinstance(entry := _entry(line), dict)]
    ours = [
        each for each in intents if (each.get("service"), each.get("environment")) == (about.service, about.environment)
    ]
    first: dict[Any, Mapping[str, Any]] = {}
    for each in ours:
        first.setdefault(str(each.get("id")), each)
    return list(first.values())


def _run_of_cut(line: str) -> set[str]:
    """Return the run of a record that is too long: it has a record, so none is made from its events."""
    found = _RECORD.match(line) if len(line.encode(errors="replace")) >= _LONGEST_LINE else None
    return {found[1]} if found else set()


def _entry(line: str) -> Record | dict[str, Any] | None:
    if len(line.encode(errors="replace")) >= _LONGEST_LINE:
        return None
    try:
        # Unlike the standard library's, it takes no text that could not be written again (lone surrogates). A value
        # that is not equal to itself (NaN) is in no line of ours.
        entry = from_json(line, allow_inf_nan=False)
        if isinstance(entry, dict) and "schema_version" in entry:
            return read_record(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _from_events(events: list[Event]) -> Record | None:
    first = _all(events, "intent")[0]
    events = [event for event in events if all(event.get(key, first.get(key)) == first.get(key) for key in _ABOUT)]
    intent = _all(events, "intent")[-1]
    facts = _part(intent, *_FACTS)
    origin, target = intent.get("from") or None, intent.get("to") or None
    verdicts = _all(events, "verdict")
    try:
        if not verdicts:
            return composed(facts | _cancelled(events, intent) | _ends({"release": origin}, {"release": target}))
        verdict = verdicts[-1]
        ends = _ends(_release(origin, verdict, "from"), _release(target, verdict, "to"))
        return composed(facts | _judged(events, intent, verdict) | ends | {"hosts": [_host(events, verdict, ends)]})
    except ValueError:
        return None


def _cancelled(events: list[Event], intent: Event) -> dict[str, Any]:
    end = (_all(events, "end") or [{}])[-1]
    how = f"its transaction ended as {end.get('outcome')}" if end else "the host did not finish it"
    return {
        "started_at": intent.get("at"),
        "finished_at": end.get("at", intent.get("at")),
        "duration_seconds": 0.0,
        "outcome": "cancelled",
        "exit_code": 1,
        "warnings": [f"no record of this run was written; {how}"],
    }


def _judged(events: list[Event], intent: Event, verdict: Event) -> dict[str, Any]:
    return {
        "started_at": intent.get("at"),
        "finished_at": verdict.get("at"),
        "duration_seconds": verdict.get("duration"),
        "outcome": verdict.get("outcome"),
        "exit_code": verdict.get("exit_code"),
        "rejected": [_part(event, "release", "why") for event in _all(events, "rejected")],
        "warnings": [event.get("text") for event in _all(events, "warning")],
    }


def _host(events: list[Event], verdict: Event, ends: dict[str, Any]) -> dict[str, Any]:
    find = {"name": "find", "seconds": verdict.get("find"), "outcome": "ok"}
    steps = [
        {"name": event.get("step")} | _part(event, "seconds", "outcome", "detail") for event in _all(events, "step")
    ]
    return {
        "host": verdict.get("host"),
        "outcome": verdict.get("host_outcome"),
        "from": ends["from"],
        "to": _release(verdict.get("live") or None, verdict, "live"),
        "downtime_seconds": verdict.get("downtime") or None,
        "steps": [find, *steps],
        "checks": [_part(event, "name", "kind", "outcome", "seconds", "detail") for event in _all(events, "check")],
        "detail": verdict.get("detail", ""),
    }


def _all(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event["event"] == name]


def _part(event: Event, *keys: str) -> dict[str, Any]:
    return {key: event[key] for key in keys if key in event}


def _release(name: Any, verdict: Event, end: str) -> dict[str, Any]:
    return {"release": name, "revision": verdict.get(f"{end}_revision") or None}


def _ends(origin: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {"from": origin, "to": target}
