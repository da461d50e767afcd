"""Shows the result of each command: as text, as JSON, and in the step of a workflow. Each ends with its exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from rollback_ops.cli import exit as process
from rollback_ops.cli.output import advice as advice_text
from rollback_ops.cli.output import documents, evidence_documents, text
from rollback_ops.cli.output import drills as drills_text
from rollback_ops.cli.output import evidence as evidence_text
from rollback_ops.cli.output import history as history_text
from rollback_ops.cli.output import holds as holds_text
from rollback_ops.cli.output import preview as preview_text
from rollback_ops.cli.output import releases as releases_text
from rollback_ops.cli.output import schedule as schedule_text
from rollback_ops.cli.output.text import Line
from rollback_ops.core.outcome import EXIT_CODES, overall

if TYPE_CHECKING:
    from rollback_ops.cli.session import Session
    from rollback_ops.commands.advise import Advised
    from rollback_ops.commands.arm import Arming, Confirmation
    from rollback_ops.commands.drill import Drills
    from rollback_ops.commands.finish import Finished
    from rollback_ops.commands.gate import Gate
    from rollback_ops.commands.history import History, Logged
    from rollback_ops.commands.hold import Held
    from rollback_ops.commands.init import Written, WrittenWorkflow
    from rollback_ops.commands.install import Installation, Removal
    from rollback_ops.commands.list import Releases
    from rollback_ops.commands.mark import Marked
    from rollback_ops.commands.outlook import LookedAhead
    from rollback_ops.commands.preview import Preview
    from rollback_ops.commands.rehearse import Rehearsed
    from rollback_ops.commands.result import RunResult
    from rollback_ops.commands.schedule import Schedule
    from rollback_ops.commands.schedule_run import Ran
    from rollback_ops.commands.seal import Sealed
    from rollback_ops.commands.shards import Sharded
    from rollback_ops.commands.trace import Trace
    from rollback_ops.commands.verify import Verified
    from rollback_ops.core.errors import RollbackOpsError
    from rollback_ops.core.record import Record
    from rollback_ops.core.schedule import Entry


def run(
    session: Session,
    result: RunResult,
    told: Callable[[Record], Iterable[Line]],
    *,
    file: Path | None = None,
    as_json: bool = False,
) -> NoReturn:
    """Show a run with the lines that ``told`` makes of its record."""
    record, console = result.record, session.console
    session.step.ungroup()
    lines, brief = list(told(record)), list(preview_text.brief(record, result.changes))
    if record.dry_run:
        lines += brief
    first_aid = list(text.first_aid(record, result.first_aid, local=result.local))
    unshown = session.step.ended_with(record, text.top(lines, first_aid), file, result.decision, brief)
    console.show((Line(f"! {why}", "warning") for why in (*result.unpublished, *unshown)), err=True)
    with process.result_is_optional():
        _print(session, record.model_dump(mode="json", by_alias=True), lines, as_json)
    console.show(first_aid, err=True)
    raise process.Ended(result.exit_code)


def shards(session: Session, found: Sharded) -> NoReturn:
    """Show a plan in shards, and print the document of its jobs. Without a plan, the record says why."""
    if found.plan is None:
        lines = list(text.checked(found.record))
        session.step.because((line.text for line in lines), "No shards", found.record.environment)
        session.console.show(lines, err=True)
        raise process.Ended(found.exit_code)
    document = documents.shards(found.plan, found.file)
    lines = list(text.shards(found.plan))
    session.step.because((line.text for line in lines), "Shards", found.plan.environment)
    session.console.show(lines, err=True)
    session.console.show((Line(f"! {why}", "warning") for why in session.step.planned(document)), err=True)
    session.console.document(document)
    raise process.Ended(found.exit_code)


def settings(session: Session, written: Written) -> None:
    """Show the reasons for the settings. This is not the result yet: the settings are checked next."""
    session.console.show((Line(f"  {why}") for why in written.proposal.reasons), err=True)
    session.console.show((Line(f"✓ wrote {written.file}", "good"),), err=True)


def workflow(session: Session, written: WrittenWorkflow) -> None:
    """Show the commands that set its secrets. A person types them, after the settings are checked."""
    console = session.console
    console.show((Line(f"✓ wrote {written.file}", "good"), Line("  Set its secrets, with gh:")), err=True)
    console.show((Line(f"    {command}") for command in written.secrets), err=True)


def releases(session: Session, found: Releases, *, as_json: bool) -> NoReturn:
    now = time.time()
    _lost(session, found.lost)
    if as_json:
        session.console.document(documents.releases(found))
    else:
        _releases(session, found, now)
    session.step.because((line.text for line in _listed(found, now)), "Releases", found.environment)
    raise process.Ended(found.exit_code)


def releases_of_group(session: Session, group: str, found: Mapping[str, Releases], *, as_json: bool) -> NoReturn:
    """Show the releases of each service of a group. What the group would go to is in ``check --group``."""
    now = time.time()
    for each in found.values():
        _lost(session, each.lost)
    if as_json:
        session.console.document(documents.of_group(group, {n: documents.releases(each) for n, each in found.items()}))
    else:
        for name, each in found.items():
            session.console.show((Line(f"{name}:", "strong"),))
            _releases(session, each, now)
    told = [f"{name}: {line.text}" for name, each in found.items() for line in _listed(each, now)]
    session.step.because(told, "Releases", next(iter(found.values())).environment)
    raise process.Ended(max(each.exit_code for each in found.values()))


def _releases(session: Session, found: Releases, now: float) -> None:
    for survey, *others in releases_text.alike(found.surveys.values()):
        session.console.show(releases_text.live(survey, 1 + len(others)))
        session.console.table(*releases_text.releases(survey, found.decision, found.ranking, now, found.versions))
    session.console.show(holds_text.listed(found.holds, now))
    session.console.show((releases_text.ordered(found.ranking),))
    session.console.show(text.decision(found.decision))


def _listed(found: Releases, now: float) -> Iterator[Line]:
    yield from text.lost(found.lost)
    yield from holds_text.listed(found.holds, now)
    yield from releases_text.listed(found.surveys.values(), found.decision, found.ranking, now, found.versions)


def verified(session: Session, found: Verified, *, as_json: bool) -> NoReturn:
    _lost(session, found.lost)
    lines = _verdicts(found)
    told = (*text.lost(found.lost), *lines)
    session.step.because((line.text for line in told), "Verification", found.environment)
    _print(session, documents.verification(found), lines, as_json)
    raise process.Ended(found.exit_code)


def verified_group(session: Session, group: str, found: Mapping[str, Verified], *, as_json: bool) -> NoReturn:
    """Show the verification of each service of a group. The exit code is that of all hosts together."""
    lines: list[Line] = []
    for name, each in found.items():
        _lost(session, each.lost)
        lines += [Line(f"{name}:", "strong"), *text.lost(each.lost), *_verdicts(each)]
    session.step.because((line.text for line in lines), "Verification", next(iter(found.values())).environment)
    document = documents.of_group(group, {name: documents.verification(each) for name, each in found.items()})
    _print(session, document, lines, as_json)
    outcome = overall([word for each in found.values() for word in each.outcomes.values()])
    raise process.Ended(EXIT_CODES[outcome])


def _verdicts(found: Verified) -> list[Line]:
    return [
        line
        for name, verification in found.found.items()
        for line in text.verified(name, verification, found.lives[name], found.marks[name])
    ]


def sealed(session: Session, done: Sealed, *, as_json: bool) -> NoReturn:
    _lost(session, done.lost)
    _print(session, documents.seals(done), text.seals(done.seals), as_json)
    raise process.Ended(done.exit_code)


def marked(session: Session, done: Marked, *, as_json: bool) -> NoReturn:
    _lost(session, done.lost)
    _print(session, documents.marks(done), text.marks(done), as_json)
    raise process.Ended(done.exit_code)


def holds(session: Session, held: Held, *, as_json: bool) -> NoReturn:
    _told(session, held, "Holds", documents.holds(held), holds_text.shown(held), as_json)


def preview(session: Session, found: Preview, *, as_json: bool) -> NoReturn:
    _told(session, found, "Preview", documents.preview(found), preview_text.lines(found), as_json)


def advice(session: Session, found: Advised, *, as_json: bool) -> NoReturn:
    lines, decision = advice_text.lines(found), found.advice.decision
    _told(session, found, "Advice", evidence_documents.advice(found), lines, as_json, decision)


def rehearsal(session: Session, found: Rehearsed, *, as_json: bool) -> NoReturn:
    _told(session, found, "Rehearsal", evidence_documents.rehearsal(found), evidence_text.rehearsal(found), as_json)


def outlook(session: Session, found: LookedAhead, *, as_json: bool) -> NoReturn:
    _told(session, found, "Outlook", evidence_documents.outlook(found), evidence_text.outlook(found), as_json)


def armed(session: Session, done: Arming, *, as_json: bool) -> NoReturn:
    _told(session, done, "Armed", documents.arming(done), holds_text.armed(done), as_json)


def confirmed(session: Session, done: Confirmation, *, as_json: bool) -> NoReturn:
    _told(session, done, "Confirmed", documents.confirmation(done), holds_text.confirmed(done), as_json)


def gate(session: Session, found: Gate, *, as_json: bool) -> NoReturn:
    lines = list(holds_text.gate(found))
    session.step.because((line.text for line in lines), "Gate", found.environment)
    _print(session, documents.gate(found), lines, as_json)
    raise process.Ended(found.exit_code)


def installation(session: Session, done: Installation, *, as_json: bool) -> NoReturn:
    _lost(session, done.lost)
    _print(session, documents.installation(done), text.installation(done.path, done.hosts), as_json)
    raise process.Ended(done.exit_code)


def uninstalled(session: Session, done: Removal, *, as_json: bool) -> NoReturn:
    _lost(session, done.lost)
    _print(session, documents.removal(done), text.removal(done.path, done.hosts), as_json)
    raise process.Ended(done.exit_code)


def history(session: Session, found: History, *, as_json: bool) -> NoReturn:
    _gaps(session, found)
    if as_json:
        session.console.document(documents.history(found))
    elif found.records:
        session.console.table(*history_text.history(found.records))
    else:
        session.console.show([Line("No rollback is recorded yet.")])
    raise process.Ended(found.exit_code)


def statistics(session: Session, found: History, *, as_json: bool) -> NoReturn:
    _gaps(session, found)
    counted = found.statistics
    _print(session, documents.statistics(counted), history_text.stats(counted), as_json)
    raise process.Ended(found.exit_code)


def traces(session: Session, found: list[Trace], *, as_json: bool) -> NoReturn:
    """Show what the hosts keep of one run, for each service that it was about."""
    for trace in found:
        _lost(session, trace.lost)
    lines = (line for trace in found for line in history_text.trace(trace))
    _print(session, documents.traces(found), lines, as_json)
    raise process.Ended(max(trace.exit_code for trace in found))


def logged(session: Session, done: Logged, *, as_json: bool) -> NoReturn:
    _lost(session, done.lost)
    lines = [Line(f"✓ recorded on {', '.join(done.hosts)}: {done.record.id}", "good")] if done.hosts else []
    _print(session, done.record.model_dump(mode="json", by_alias=True), lines, as_json)
    raise process.Ended(done.exit_code)


def drills(session: Session, done: Drills, *, file: Path | None, as_json: bool) -> NoReturn:
    """Show what the drills came to: how many worked, what that proves, and how long they took."""
    result, record = done.result, done.result.record
    session.step.ungroup()
    lines = list(drills_text.lines(done))
    first_aid = list(text.first_aid(record, result.first_aid, local=result.local)) if done.exit_code else []
    unshown = session.step.ended_with(record, text.top(lines, first_aid), file)
    session.console.show((Line(f"! {why}", "warning") for why in (*result.unpublished, *unshown)), err=True)
    with process.result_is_optional():
        _print(session, drills_text.document(done), lines, as_json)
    session.console.show(first_aid, err=True)
    raise process.Ended(done.exit_code)


def planned(session: Session, entry: Entry, *, as_json: bool) -> NoReturn:
    lines = list(schedule_text.planned(entry))
    session.step.because((line.text for line in lines), "Schedule", entry.asked.environment)
    _print(session, schedule_text.entry(entry), lines, as_json)
    raise process.Ended(0)


def schedule(session: Session, found: Schedule, *, as_json: bool) -> NoReturn:
    _lost(session, found.lost)
    lines = list(schedule_text.listed(found.entries))
    session.step.because((line.text for line in (*text.lost(found.lost), *lines)), "Schedule")
    _print(session, {"entries": [schedule_text.entry(each) for each in found.entries]}, lines, as_json)
    raise process.Ended(found.exit_code)


def carried_out(session: Session, ran: Ran, *, file: Path | None, as_json: bool) -> NoReturn:
    """Show what became of the scheduled rollbacks that were due."""
    _lost(session, ran.lost)
    session.step.ungroup()
    lines = list(schedule_text.carried_out(ran))
    session.step.because((line.text for line in (*text.lost(ran.lost), *lines)), "Scheduled rollbacks")
    for each in ran.carried:
        if each.result:
            shown = session.step.ended_with(each.result.record, text.top(lines, ()), file)
            session.console.show((Line(f"! {why}", "warning") for why in shown), err=True)
        unpublished = each.result.unpublished if each.result else ()
        session.console.show((Line(f"! {why}", "warning") for why in unpublished), err=True)
    with process.result_is_optional():
        _print(session, schedule_text.document(ran), lines, as_json)
    raise process.Ended(ran.exit_code)


def finished(session: Session, done: Finished) -> NoReturn:
    record = done.record
    if record and done.filed:
        ids = [each.deployment.id for each in record.services or (record,) if each.deployment.id]
        session.console.show([Line(f"✓ recorded on GitHub: deployment {', '.join(map(str, ids))}", "good")], err=True)
    session.console.show((Line(f"! {why}", "warning") for why in done.warnings), err=True)
    session.step.finished(record, done.file, text.top(text.result(record), ()) if record else ())
    raise process.Ended(done.exit_code)


class _OnHosts(Protocol):
    """What a command came to on the hosts of one environment."""

    @property
    def environment(self) -> str: ...
    @property
    def lost(self) -> Mapping[str, RollbackOpsError]: ...
    @property
    def exit_code(self) -> int: ...


def _told(
    session: Session,
    found: _OnHosts,
    title: str,
    document: Mapping[str, Any],
    lines: Iterable[Line],
    as_json: bool,
    decision: str = "",
) -> NoReturn:
    """Show what a command came to, in the summary of a workflow's job, too. ``decision`` is an output of the step."""
    _lost(session, found.lost)
    shown = list(lines)
    session.step.because((line.text for line in (*text.lost(found.lost), *shown)), title, found.environment, decision)
    _print(session, document, shown, as_json)
    raise process.Ended(found.exit_code)


def _print(session: Session, document: Mapping[str, Any], lines: Iterable[Line], as_json: bool) -> None:
    if as_json:
        session.console.document(document)
    else:
        session.console.show(lines)


def _lost(session: Session, lost: Mapping[str, RollbackOpsError]) -> None:
    session.console.show(text.lost(lost), err=True)


def _gaps(session: Session, found: History) -> None:
    _lost(session, found.lost)
    if found.unreadable:
        session.console.show(
            [Line(f"! history entries that could not be read: {found.unreadable}", "warning")], err=True
        )
