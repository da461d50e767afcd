"""Decides what counts as a loss: a pure function of what was seen on the host, and of what the commands said about it.

Strict: what is not allowed below is a loss, also when a person could easily put it right.

1. No command hangs, none shows a traceback, and a cancelled one ends before the runner would kill it.
2. ``current`` pointed at a complete release whenever it was looked at (every 5 ms), and does so at the end. The
   exception: the release that it points at was itself removed or emptied by the fault, and the exit code says that
   a person is needed (4), or the service was put back.
3. One of the two releases runs in the end (or the one that a deployment or a second rollback made live), and it is
   the one that is live. Only where the fault killed everything that could have finished the work may none run, and
   then the report says so: exit code 4. Only where a deployment starts its release in the instant of the switch
   may that one run beside another ``current``, and then the report says so: exit code 2 or 6.
4. The exit code is true: 0 and 2: the target is live; 1 and 3: what was there before; 6: what somebody else made
   live; after 130 and 143 the record says of the host which of them, or that it is not known; 4 says it too. What is
   live runs. A record that names a step or a release that was not is a loss.
5. Of two rollbacks at once at most one changes something, unless one was an emergency; the last one that ended with
   0 has its target live. One whose host an emergency took may end with 4, or with 6 when it was being verified. What
   an emergency or a deployment made live during a verification is live in the end, whatever the verification found.
6. Nothing keeps the next rollback out for more than 10 s after the host has come to rest, which takes less than 30 s.
7. The journal parses (a disk that is full may cut one line, which readers leave out), and tells the truth: a release
   that is live was announced there before; each finished step in order, and once, unless the work had to be begun
   anew; one end, which is the last event, and true; no end is missing, unless the fault killed everything or the disk
   took nothing; the record, where it was written, is the one that was printed. Readers find the run, once.
8. The next rollback, or `resume`, ends with 0, to where an interrupted one was going, and never to the release that
   was left.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from rollback_ops.core.journal import read_journal
from tests.faults.scene import NEW, RELEASES, SOURCE, TARGET
from tests.faults.trial import Seen

STEPS = ("stop", "switch", "links", "start")
_SPOILING = frozenset({"target-removed", "target-emptied"})
_DEPLOYED = frozenset({"deployed-meanwhile", "deployed-in-window"})
_EMERGENCIES = frozenset({"second-emergency", "emergency-in-window"})
_NOTHING_IS_LEFT = frozenset({"all-killed", "power-cycled"})
_UNWRITABLE = frozenset({"disk-filled", "made-read-only"})
# The host's own supervision begins the transaction anew: it was told to, or it took too long.
_DONE_AGAIN = frozenset({"worker-killed", "all-killed", "cancelled-while-it-hangs"})
_CODES = frozenset({0, 1, 2, 3, 4, 6, 130, 143})
_LOCKED_AT_MOST = 10.0

Event = dict[str, Any]


def losses(seen: Seen) -> list[str]:
    """Return every loss in words; none when all is well."""
    found = [*_commands(seen), *_current(seen), *_service(seen), *_lock(seen), *_journal(seen), *_next(seen)]
    found += _concurrent(seen) if len(seen.runs) > 1 else _report(seen)
    return found


def _commands(seen: Seen) -> Iterator[str]:
    for run in (*seen.runs, seen.next):
        if run.hung:
            yield f"the {run.name} command hung"
        # Before the first line of ours is run, a signal meets an interpreter that is still starting.
        began = "rollback_ops" in run.said or not run.said.endswith("KeyboardInterrupt\n")
        if ("Traceback" in run.said and began) or "a defect in rollback-ops" in run.said:
            yield f"the {run.name} command broke: {run.said[-300:]}"
        if run.code is not None and run.code not in _CODES:
            yield f"the {run.name} command ended with {run.code}"
    if seen.trial.fault.startswith("cancelled") and seen.runs[0].code is None:
        yield "the cancelled command had to be killed"


def _current(seen: Seen) -> Iterator[str]:
    spoilt = f"({TARGET} is not complete)"
    may_be = {spoilt} if seen.trial.fault in _SPOILING and seen.runs[0].code in (3, 4) else set()
    if odd := seen.odd - may_be:
        yield f"current was {', '.join(sorted(odd))}"
    if seen.live not in RELEASES and seen.live != NEW and not (seen.live in may_be and seen.runs[0].code == 4):
        yield f"current is {seen.live}"


def _service(seen: Seen) -> Iterator[str]:
    if not seen.settled:
        yield "the host did not come to rest"
    told = seen.runs[0].code == 4
    if not seen.running and not (told and (seen.trial.fault == "all-killed" or seen.live not in RELEASES)):
        yield f"nothing runs, and the command ended with {seen.runs[0].code}"
    reported = (told and seen.trial.fault == "all-killed") or (seen.runs[0].code in (2, 6) and seen.running == NEW)
    if seen.running and seen.running != seen.live and not reported:
        yield f"{seen.running} runs, and current is {seen.live}"


def _report(seen: Seen) -> Iterator[str]:
    """Return how the report of one command differs from the host."""
    run, live = seen.runs[0], seen.live
    outcome = run.host.get("outcome")
    if run.code is None:
        return
    by_code: dict[int, set[str | None]] = {0: {run.to}, 2: {run.to}, 1: {SOURCE}, 3: {SOURCE}, 6: {NEW}}
    by_outcome: dict[str, set[str | None]] = {
        "succeeded": {TARGET},
        "verification_failed": {TARGET},
        "health_unknown": {TARGET},
        "unknown": {SOURCE, TARGET},
        "superseded": {*RELEASES, NEW},
        "failed": {(run.host.get("to") or {}).get("release"), live},
    }
    known = by_code.get(run.code) or by_outcome.get(str(outcome), {SOURCE})
    known |= {NEW} if seen.trial.fault == "deployed-meanwhile" else set()
    known &= {NEW} if seen.trial.fault == "deployed-in-window" else known
    if live not in known and not (seen.trial.fault in _SPOILING and run.code == 4):
        yield f"it ended with {run.code} ({outcome}), and {live} is live"
    if run.code == 4 and outcome not in ("unknown", "failed"):
        yield f"it ended with 4, and says {outcome} of the host"
    if seen.trial.fault == "target-unhealthy" and run.code not in (3, 4):
        yield f"the target is unhealthy, and it ended with {run.code} ({outcome})"


def _concurrent(seen: Seen) -> Iterator[str]:
    winners = sorted((run for run in seen.runs if run.code == 0), key=lambda run: str(run.record["finished_at"]))
    emergency = seen.trial.fault in _EMERGENCIES
    if winners and seen.live != winners[-1].to:
        yield f"the last that ended with 0 went to {winners[-1].to}, and {seen.live} is live"
    if not winners and seen.runs[0].code not in (4, 6, None):
        yield f"none of two rollbacks succeeded: {[run.code for run in seen.runs]}"
    for run in seen.runs:
        overtaken = emergency and run.name == "first" and run.code in (4, 6)
        if run.code not in (0, 1) and not overtaken:
            yield f"the {run.name} rollback ended with {run.code} ({run.host.get('outcome')})"


def _lock(seen: Seen) -> Iterator[str]:
    if seen.lock > _LOCKED_AT_MOST:
        yield f"the next rollback was kept out for {seen.lock:.1f} s"


def _journal(seen: Seen) -> Iterator[str]:
    lines = [line for line in seen.journal.splitlines() if line.strip("\0 ")]
    events = [event for line in lines if (event := _parsed(line)) is not None]
    damaged = len(lines) - len(events)
    if damaged > (seen.trial.fault == "disk-filled"):
        yield f"{damaged} lines of the journal do not parse"
    records, unreadable = read_journal(lines)
    if unreadable > damaged:
        yield f"readers cannot read {unreadable} lines, of which {damaged} are damaged"
    runs = list(dict.fromkeys(event["id"] for event in events))
    if sorted(record.id for record in records) != sorted(runs):
        yield "readers do not find the runs that the journal tells of"
    for run in runs:
        own = [event for event in events if event["id"] == run]
        for attempt in _attempts(own):
            yield from _told(seen, run, attempt)
        yield from _ended(seen, run, own)
    announced = {event.get("to") for event in events if event.get("event") == "intent"}
    if seen.live not in (SOURCE, NEW) and seen.live in RELEASES and seen.live not in announced:
        yield f"{seen.live} is live, and the journal never announced it"


def _parsed(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "id" in event else None


def _attempts(events: list[Event]) -> Iterator[list[Event]]:
    """The events of one run, from each of its intents to the next: going back to where it started is a second one."""
    begins = [number for number, event in enumerate(events) if event.get("event") == "intent"][1:]
    for begin, end in itertools.pairwise([0, *begins, len(events)]):
        yield events[begin:end]


def _words(events: list[Event]) -> tuple[list[str], list[str], list[str]]:
    """The kinds of the events, the steps among them, and the outcomes."""
    kinds = [event.get("event", "record") for event in events]
    steps = [event["step"] for event in events if event.get("event") == "step" and event["step"] in STEPS]
    return kinds, steps, [event["outcome"] for event in events if event.get("event") == "end"]


def _told(seen: Seen, run: str, events: list[Event]) -> Iterator[str]:
    """Return how the journal of one transaction is wrong, from its first line to its last."""
    kinds, steps, ends = _words(events)
    alone = len(seen.runs) == 1
    again = seen.trial.fault in _DONE_AGAIN or ends in (["put_back"], ["superseded"])
    if "intent" in kinds and kinds.index("intent") != 0:
        yield f"{run}: something stands before its intent"
    if len(set(ends)) > 1 or (len(ends) > 1 and not again) or (ends and alone and "lost-lease" in kinds):
        yield f"{run}: it ended more than once: {kinds}"
    if ends and any(kind == "step" for kind in kinds[kinds.index("end") :]):
        yield f"{run}: a step stands after its end"
    if "lost-lease" in kinds and alone:
        yield f"{run}: nobody took its lease from it, and it says so"
    if len(steps) != len(set(steps)) and not again:
        yield f"{run}: a step twice: {steps}"
    if steps and steps[0] != "stop" and seen.trial.fault not in _UNWRITABLE:
        yield f"{run}: its steps begin with {steps[0]}"


def _ended(seen: Seen, name: str, events: list[Event]) -> Iterator[str]:
    """The run that was struck: how it ended, and what its record says. Nothing of another run."""
    fault, run = seen.trial.fault, seen.runs[0]
    kinds, steps, ends = _words(events)
    killed = run.code is None and kinds[0] == "intent" and name != seen.next.record.get("id")
    if name != run.record.get("id") and not killed:
        return
    lost = fault in _NOTHING_IS_LEFT | _UNWRITABLE or len(seen.runs) > 1
    if "intent" in kinds and not ends and not lost and run.host.get("outcome") != "refused":
        yield "the journal lacks its end"
    if ends and len(seen.runs) == 1 and fault not in _SPOILING | _DEPLOYED | {"target-unhealthy"}:
        true = {"switched": {TARGET}, "not_started": {TARGET}, "still_starting": {TARGET}}.get(ends[0], {SOURCE})
        if seen.live not in true:
            yield f"the journal says that it ended as {ends[0]}, and {seen.live} is live"
    told = [step["name"] for step in run.host.get("steps", ()) if step["name"] in STEPS]
    if fault not in _UNWRITABLE and told != steps[: len(told)]:
        yield f"the record tells {told}, and the journal {steps}"
    finished_later = "interruption" in run.host.get("detail", "")
    if run.code == 0 and fault not in _UNWRITABLE and not finished_later and tuple(told[-4:]) != STEPS:
        yield f"it ended with 0, and the record tells {told}"
    whole = not any("its journal lacks this record" in warning for warning in run.record.get("warnings", ()))
    if run.host.get("outcome") in ("succeeded", "restored") and whole and "record" not in kinds:
        yield "the journal lacks the record"


def _next(seen: Seen) -> Iterator[str]:
    following = seen.next
    if following.code != 0:
        yield f"the next rollback ended with {following.code}: {following.said[-400:]}"
        return
    if not following.to == seen.next_live == seen.next_running:
        yield f"the next rollback went to {following.to}; {seen.next_live} is live and {seen.next_running!r} runs"
    if following.to == SOURCE and seen.trial.fault not in _DEPLOYED:
        yield f"the next rollback went to {SOURCE}, the release that was left"
    resumed = any("is taken up" in warning for warning in following.record.get("warnings", ()))
    if resumed and following.to != TARGET and seen.trial.fault not in _SPOILING:
        yield f"the next rollback went to {following.to}, and the interrupted one was going to {TARGET}"
