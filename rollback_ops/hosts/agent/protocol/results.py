"""The results of the agent's operations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import (
    CommandResult,
    Inspection,
    InstallOutcome,
    ServiceId,
    StepOutcome,
    StepReport,
    SwitchOutcome,
    SwitchResult,
    UninstallOutcome,
    Unit,
)
from rollback_ops.core.schema import KnownSchema, SchemaAnswer
from rollback_ops.hosts.agent.protocol.answer import Answer
from rollback_ops.hosts.agent.protocol.fields import SAFE_NAME, clean, count_of, number_of, status_of

_STEP_OUTCOMES: dict[str, StepOutcome] = {word: word for word in get_args(StepOutcome)}
# The last lines of an answer that count.
_MOST_LINES = 12
_HELD = {"yes": True, "no": False}
_INSTALLED: dict[str, InstallOutcome] = {word: word for word in get_args(InstallOutcome)}
_UNINSTALLED: dict[str, UninstallOutcome] = {word: word for word in get_args(UninstallOutcome)}
_SWITCH_OUTCOMES: dict[str, SwitchOutcome] = {word: word for word in get_args(SwitchOutcome)}


def check_service(host: str, answer: Answer, about: ServiceId) -> None:
    """Raise ``Refused`` where the installed program that answers serves another service or environment."""
    for found in answer.of("about", 2):
        if (installed_for := ServiceId(*map(clean, found[:2]))) != about:
            raise _serves_another(host, installed_for)


def not_installed(host: str, answer: Answer) -> Refused:
    """Return why the program was not installed."""
    if another := next(answer.of("anothers", 2), None):
        return _serves_another(host, ServiceId(*map(clean, another[:2])))
    return Refused(
        f"{host}: the agent could not be installed", "Is the service's root there, and may this user write to it?"
    )


def _serves_another(host: str, installed_for: ServiceId) -> Refused:
    return Refused(
        f"{host}: the break-glass program there serves {installed_for.service} ({installed_for.environment})",
        "Give each service and environment a root of its own, or remove the program if it is no longer needed.",
    )


def switched(fields: Iterable[list[str]], units: tuple[Unit, ...] = ()) -> SwitchResult:
    """Return how a transaction ended, from its progress lines. Without a result, its end is unknown."""
    steps: list[StepReport] = []
    log: list[str] = []
    old: dict[str, str] = {}
    locked = False
    outcome, live, downtime, reason = "unknown", "", "", "the host's answer ends in the middle"
    for tag, *rest in fields:
        if tag == "step" and (step := step_report(rest)):
            steps.append(step)
        elif tag == "log":
            log.append(clean("\t".join(rest)))
        elif tag == "old" and len(rest) >= 3:
            old.setdefault(rest[0], f"process {clean(rest[1], 20)} ({clean(rest[2], 40)})")
        elif tag == "locked":
            locked = True
        elif tag == "result" and len(rest) >= 4 and rest[0] in _SWITCH_OUTCOMES:
            outcome, live, downtime, reason = rest[:4]
    return SwitchResult(
        outcome=_SWITCH_OUTCOMES.get(outcome, "unknown"),
        reason=clean(reason),
        live=live if SAFE_NAME.fullmatch(live) else "",
        steps=tuple(steps),
        downtime=number_of(downtime),
        log_tail=tuple(log),
        units=tuple(replace(unit, old=old.get(unit.name, "")) for unit in units),
        locked=locked,
    )


def step_report(fields: list[str]) -> StepReport | None:
    """Return one step of a transaction; None: the line has none."""
    if len(fields) < 3 or fields[1] not in _STEP_OUTCOMES or not SAFE_NAME.fullmatch(fields[0]):
        return None
    detail = clean(fields[3]) if len(fields) > 3 else ""
    return StepReport(fields[0], _STEP_OUTCOMES[fields[1]], number_of(fields[2]) or 0.0, detail)


def inspected(answer: Answer) -> Inspection:
    """Return the findings of a host about a release, before the service was stopped."""
    manifest = next((f for f in answer.of("manifest", 1)), None)
    broken = (
        "" if manifest is None or manifest[0] == "ok" else clean(manifest[1]) or "its files are not the sealed ones"
    )
    return Inspection(sealed=manifest is not None, broken=broken, answers=answers(answer))


def answers(answer: Answer) -> dict[int, CommandResult]:
    """Return the answer to each question, by its number."""
    said: dict[int, list[str]] = {}
    for number, *words in answer.of("said", 2):
        said.setdefault(status_of(number), []).append(clean("\t".join(words)))
    return {
        status_of(number): CommandResult(
            status_of(status),
            number_of(seconds) or 0.0,
            tuple(filter(None, said.get(status_of(number), [])[-_MOST_LINES:])),
        )
        for number, status, seconds, *_ in answer.of("answered", 3)
    }


def standing(answer: Answer) -> tuple[str | None, bool | None]:
    """Return the live release (empty: none), and whether the run that asked has the lease; None: not in the answer."""
    for live, held, *_ in answer.of("standing", 2):
        return (live if SAFE_NAME.fullmatch(live) else ""), _HELD.get(held)
    return None, None


def sealed(answer: Answer) -> int | None:
    """Return the number of files in the manifest that was written; None: no manifest was."""
    return next((count_of(fields[1]) for fields in answer.of("sealed", 2)), None)


def installed(answer: Answer) -> InstallOutcome | None:
    """Return the result for the file that was to be installed; None: it was not installed."""
    return next((word for tag, *_ in answer.lines if (word := _INSTALLED.get(tag))), None)


def uninstalled(host: str, answer: Answer) -> UninstallOutcome:
    """Return the result of the removal. Raises ``Refused`` where nothing was removed."""
    if found := next((word for tag, *_ in answer.lines if (word := _UNINSTALLED.get(tag))), None):
        return found
    why = next((clean(f[0]) for f in answer.of("busy", 1)), "")
    hint = "Try again when that is over." if why else "Is the service's root there, and may this user write to it?"
    raise Refused(f"{host}: nothing was removed{f': {why}' if why else ''}", hint)


def schema(answer: Answer) -> SchemaAnswer:
    """Return the answer of a host about the schema of its database.

    A command that prints nothing counts as no answer: a pipe succeeds even when its first command failed.
    """
    *said, status = ["", *(clean(fields[0], 200) for fields in answer.of("version", 1) if fields[0].strip())]
    complaints = [clean(fields[0]) for fields in answer.of("complaint", 1) if fields[0].strip()]
    versions, why = tuple(filter(None, said)), ""
    if status != "0":
        how = "it took too long" if status == "124" else f"it ended with {status or 'nothing'}"
        why = f"the command of schema.current failed: {how}"
    elif not versions:
        why = "the command of schema.current printed nothing"
    why += f": {complaints[-1]}" if why and complaints else ""
    lines: dict[str, list[str]] = {name: [] for name, *_ in answer.of("schema", 1)}
    for name, line, *_ in answer.of("knows", 2):
        lines.setdefault(name, []).append(clean(line))
    known = {name: KnownSchema(tuple(found)) for name, found in lines.items()}
    return SchemaAnswer(None if why else versions, known, why)
