"""The judge lets pass what was right, and sees each thing that was lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.judge import STEPS, losses
from tests.faults.scene import NEW, SOURCE, TARGET, Run
from tests.faults.trial import Seen, Trial

RUN, NEXT = "20260101T000000Z-00000001", "20260101T000100Z-00000002"


def record(run: str, outcome: str, code: int, to: str, steps: tuple[str, ...] = STEPS, **more: Any) -> dict[str, Any]:
    """As a command prints it."""
    told = {
        "host": "h1",
        "outcome": "unknown" if outcome == "failed" else outcome,
        "to": {"release": to},
        "steps": [{"name": step, "seconds": 0.1, "outcome": "ok"} for step in ("find", *steps, "verify")],
    }
    return {
        "schema_version": 1,
        "id": run,
        "service": "svc",
        "environment": "prod",
        "mode": "standard",
        "trigger": "manual",
        "reason": "a test",
        "actor": "tester",
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01Z",
        "duration_seconds": 1.0,
        "outcome": outcome,
        "exit_code": code,
        "from": {"release": SOURCE},
        "to": {"release": to},
        "hosts": [told],
        "warnings": [],
        **more,
    }


def intent(run: str, source: str, to: str) -> dict[str, Any]:
    words = {"service": "svc", "environment": "prod", "mode": "standard", "trigger": "manual", "actor": "tester"}
    return {
        "event": "intent",
        "id": run,
        **words,
        "reason": "a test",
        "from": source,
        "to": to,
        "at": "2026-01-01T00:00:00Z",
    }


def event(kind: str, run: str = RUN, **words: str) -> dict[str, Any]:
    return {"event": kind, "id": run, **words}


def story(
    run: str, source: str, to: str, steps: tuple[str, ...] = STEPS, end: str = "switched"
) -> list[dict[str, Any]]:
    """The events of a transaction, as the host writes them down."""
    taken = [event("step", run, step=step, outcome="ok") for step in steps]
    return [
        intent(run, source, to),
        *taken,
        *([event("end", run, outcome=end, at="2026-01-01T00:00:01Z")] if end else []),
    ]


def journal(*events: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in events)


DONE = record(RUN, "succeeded", 0, TARGET)
AFTER = record(NEXT, "succeeded", 0, "b3")
FOLLOWING = [*story(NEXT, TARGET, "b3"), AFTER]
GOOD = Seen(
    trial=Trial("sshd-restarted", "stop", "root", 1),
    reached=True,
    runs=(Run("first", 0, DONE),),
    odd=frozenset(),
    settled=True,
    live=TARGET,
    running=TARGET,
    journal=journal(*story(RUN, SOURCE, TARGET), DONE, *FOLLOWING),
    next=Run("next", 0, AFTER),
    lock=0.0,
    next_live="b3",
    next_running="b3",
)


def of(fault: str, **facts: Any) -> Seen:
    return replace(GOOD, trial=Trial(fault, "stop", "root", 1), **facts)


UNKNOWN = Run("first", 4, record(RUN, "failed", 4, TARGET, ()))
REFUSED = Run("first", 1, record(RUN, "refused", 1, TARGET, ()))
WENT_BACK = Run("first", 3, record(RUN, "restored", 3, TARGET, STEPS * 2))
SUPERSEDED = Run("first", 6, record(RUN, "superseded", 6, TARGET))
BACK = Run("first", 3, record(RUN, "restored", 3, TARGET, ("stop",)))
KILLED = Run("first", None)
TO_TARGET = {
    "next": Run("next", 0, record(NEXT, "succeeded", 0, TARGET)),
    "next_live": TARGET,
    "next_running": TARGET,
}
SECOND = story(NEXT, SOURCE, TARGET)

TAKEN = journal(*story(RUN, SOURCE, TARGET), *FOLLOWING)

RIGHT = {
    "all went well": GOOD,
    "nobody is there to hear how it ended": of(
        "runner-killed", runs=(KILLED,), journal=journal(*story(RUN, SOURCE, TARGET), *FOLLOWING)
    ),
    "it was refused": of(
        "disk-filled", runs=(REFUSED,), live=SOURCE, running=SOURCE, journal=journal(*SECOND), **TO_TARGET
    ),
    "it was put back": of(
        "made-read-only",
        runs=(BACK,),
        live=SOURCE,
        running=SOURCE,
        journal=journal(*story(RUN, SOURCE, TARGET, ("stop",), "put_back"), BACK.record, *SECOND),
        **TO_TARGET,
    ),
    "all that worked was killed, and the report says that nobody knows": of(
        "all-killed",
        runs=(UNKNOWN,),
        running="",
        journal=journal(*story(RUN, SOURCE, TARGET, ("stop",), ""), *FOLLOWING),
    ),
    "the power failed, and came back": of(
        "power-cycled",
        runs=(UNKNOWN,),
        live=SOURCE,
        running=SOURCE,
        journal=journal(*story(RUN, SOURCE, TARGET, ("stop",), ""), *SECOND),
        **TO_TARGET,
    ),
    "a full disk cut a line": of("disk-filled", journal=GOOD.journal + '{"event":"st\n'),
    "of two rollbacks the second was refused": of(
        "second-rollback", runs=(*GOOD.runs, Run("second", 1, record("other", "refused", 1, TARGET, ())))
    ),
    "a deployment was first": of(
        "deployed-meanwhile",
        runs=(BACK,),
        live=NEW,
        running=NEW,
        journal=journal(*story(RUN, SOURCE, TARGET, ("stop",), "put_back"), BACK.record, *FOLLOWING),
    ),
    "an unhealthy target, and the way back": of(
        "target-unhealthy",
        runs=(WENT_BACK,),
        live=SOURCE,
        running=SOURCE,
        journal=journal(
            *story(RUN, SOURCE, TARGET),
            *story(RUN, TARGET, SOURCE),
            WENT_BACK.record,
            *story(NEXT, SOURCE, "b3"),
            AFTER,
        ),
    ),
    "a deployment took its place in the verification": of(
        "deployed-in-window", runs=(SUPERSEDED,), live=NEW, running=NEW, journal=TAKEN
    ),
    "an emergency took its place in the verification": of(
        "emergency-in-window",
        runs=(SUPERSEDED, Run("second", 0, record("other", "succeeded", 0, "b3"))),
        live="b3",
        running="b3",
        journal=journal(*story(RUN, SOURCE, TARGET), *story("other", TARGET, "b3"), *FOLLOWING),
    ),
    "the power failed in the verification, and nobody knows whether it is healthy": of(
        "power-cycled", runs=(Run("first", 2, record(RUN, "health_unknown", 2, TARGET)),)
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_right_is_no_loss(case: str) -> None:
    assert losses(RIGHT[case]) == []


BROKEN = Run("first", 0, DONE, said="Traceback (most recent call last):\n rollback_ops/cli.py\n")
WRONG = {
    "a command hung": (replace(GOOD, runs=(Run("first", None, hung=True),)), "hung"),
    "a traceback was shown": (replace(GOOD, runs=(BROKEN,)), "broke"),
    "an exit code that is none": (replace(GOOD, runs=(Run("first", 77, DONE),)), "ended with 77"),
    "a cancelled command that had to be killed": (of("cancelled", runs=(KILLED,)), "had to be killed"),
    "current was gone for a moment": (replace(GOOD, odd=frozenset({"(No such file)"})), "current was (No such file)"),
    "current points at an incomplete release": (replace(GOOD, live="(b4 is not complete)"), "current is (b4"),
    "the host goes on and on": (replace(GOOD, settled=False), "did not come to rest"),
    "nothing runs": (replace(GOOD, running=""), "nothing runs"),
    "another release runs than the live one": (replace(GOOD, running=SOURCE), "b5 runs, and current is b4"),
    "it says that it is done, and is not": (replace(GOOD, live=SOURCE, running=SOURCE), "ended with 0 (succeeded)"),
    "it says that nothing was changed, and it was": (replace(GOOD, runs=(REFUSED,)), "ended with 1 (refused)"),
    "it was put back, it says": (replace(GOOD, runs=(BACK,)), "ended with 3 (restored)"),
    "it is superseded, it says, and its target is live": (
        of("deployed-in-window", runs=(SUPERSEDED,), journal=TAKEN),
        "ended with 6 (superseded)",
    ),
    "a deployment in the verification is undone": (
        of("deployed-in-window", runs=(WENT_BACK,), live=SOURCE, running=SOURCE),
        "ended with 3 (restored)",
    ),
    "an emergency in the verification is undone": (
        of(
            "emergency-in-window",
            runs=(WENT_BACK, Run("second", 0, record("other", "succeeded", 0, "b3"))),
            live=SOURCE,
            running=SOURCE,
        ),
        "went to b3, and b5 is live",
    ),
    "an unhealthy target stays live": (of("target-unhealthy"), "the target is unhealthy"),
    "the lock stays": (replace(GOOD, lock=15.0), "kept out for 15.0 s"),
    "a line of the journal is damaged": (replace(GOOD, journal=GOOD.journal + '{"event":\n'), "do not parse"),
    "the end is missing": (
        replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET, end=""), DONE, *FOLLOWING)),
        "lacks its end",
    ),
    "the end is a lie": (
        replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET, end="put_back"), DONE, *FOLLOWING)),
        "says that it ended as put_back",
    ),
    "a lease that nobody took is called lost": (
        replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET), event("lost-lease"), *FOLLOWING)),
        "nobody took its lease",
    ),
    "a step after the end": (
        replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET), event("step", step="stop"), DONE, *FOLLOWING)),
        "a step stands after its end",
    ),
    "a step twice": (
        replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET, ("stop", *STEPS)), DONE, *FOLLOWING)),
        "a step twice",
    ),
    "steps that nobody wrote down": (
        replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET, ("stop",)), DONE, *FOLLOWING)),
        "the record tells",
    ),
    "no record": (replace(GOOD, journal=journal(*story(RUN, SOURCE, TARGET), *FOLLOWING)), "lacks the record"),
    "a release that was never announced": (
        of("runner-killed", runs=(KILLED,), journal=journal(*FOLLOWING)),
        "never announced it",
    ),
    "two rollbacks, and the live release is neither's": (
        of("second-rollback", runs=(*GOOD.runs, Run("second", 1, REFUSED.record)), live="b3", running="b3"),
        "went to b4, and b3 is live",
    ),
    "the next rollback fails": (replace(GOOD, next=Run("next", 4, AFTER)), "the next rollback ended with 4"),
    "the next rollback is not what runs": (replace(GOOD, next_running=TARGET), "'b4' runs"),
    "the next rollback goes back to what was left": (
        replace(GOOD, next=Run("next", 0, record(NEXT, "succeeded", 0, SOURCE)), next_live=SOURCE, next_running=SOURCE),
        "the release that was left",
    ),
    "an interrupted rollback is taken up elsewhere": (
        replace(GOOD, next=Run("next", 0, AFTER | {"warnings": ["h1: an interrupted rollback to b4 is taken up"]})),
        "the interrupted one was going to b4",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_a_loss(case: str) -> None:
    seen, words = WRONG[case]
    assert any(words in loss for loss in losses(seen)), losses(seen)
