"""Shows the results of the commands that roll back, or do a part of a rollback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rollback_ops.cli import exit as process
from rollback_ops.cli.output import documents, text
from rollback_ops.cli.output import drills as drills_text
from rollback_ops.cli.output import history as history_text
from rollback_ops.cli.output import preview as preview_text
from rollback_ops.cli.output import schedule as schedule_text
from rollback_ops.cli.output.text import Line
from rollback_ops.core.outcome import EXIT_CODES, overall

if TYPE_CHECKING:
    from rollback_ops.cli.session import Session
    from rollback_ops.commands.drill import Drills
    from rollback_ops.commands.finish import Finished
    from rollback_ops.commands.mark import Marked
    from rollback_ops.commands.result import RunResult
    from rollback_ops.commands.schedule import Schedule
    from rollback_ops.commands.schedule_run import Ran
    from rollback_ops.commands.shards import Sharded
    from rollback_ops.commands.trace import Trace
    from rollback_ops.commands.verify import Verified
    from rollback_ops.core.record import Record
    from rollback_ops.core.schedule import ScheduleEntry
from rollback_ops.cli.show.shared import print_result, show_lost


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
        print_result(session, record.model_dump(mode="json", by_alias=True), lines, as_json)
    console.show(first_aid, err=True)
    raise process.Ended(result.exit_code)


def shards(session: Session, found: Sharded) -> NoReturn:
    """Show a plan in shards, and print the document of its jobs. Without a plan, the record says why."""
    if found.plan is None:
        lines = list(text.checked(found.record))
        session.step.because((line.text for line in lines), "No shards", found.record.environment)
        session.console.show(lines, err=True)
        raise process.Ended(found.exit_code)
    document = documents.shards(found.plan, found.jobs, found.file)
    lines = list(text.shards(found.plan, found.jobs))
    session.step.because((line.text for line in lines), "Shards", found.plan.environment)
    session.console.show(lines, err=True)
    session.console.show((Line(f"! {why}", "warning") for why in session.step.planned(document)), err=True)
    session.console.document(document)
    raise process.Ended(found.exit_code)


def verified(session: Session, found: Verified, *, as_json: bool) -> NoReturn:
    show_lost(session, found.lost)
    lines = _verdicts(found)
    told = (*text.lost(found.lost), *lines)
    session.step.because((line.text for line in told), "Verification", found.environment)
    print_result(session, documents.verification(found), lines, as_json)
    raise process.Ended(found.exit_code)


def verified_group(session: Session, group: str, found: Mapping[str, Verified], *, as_json: bool) -> NoReturn:
    """Show the verification of each service of a group. The exit code is that of all hosts together."""
    lines: list[Line] = []
    for name, each in found.items():
        show_lost(session, each.lost)
        lines += [Line(f"{name}:", "strong"), *text.lost(each.lost), *_verdicts(each)]
    session.step.because((line.text for line in lines), "Verification", next(iter(found.values())).environment)
    document = documents.of_group(group, {name: documents.verification(each) for name, each in found.items()})
    print_result(session, document, lines, as_json)
    outcome = overall([word for each in found.values() for word in each.outcomes.values()])
    raise process.Ended(EXIT_CODES[outcome])


def _verdicts(found: Verified) -> list[Line]:
    return [
        line
        for name, verification in found.found.items()
        for line in text.verified(name, verification, found.lives[name], found.marks[name])
    ]


def marked(session: Session, done: Marked, *, as_json: bool) -> NoReturn:
    show_lost(session, done.lost)
    print_result(session, documents.marks(done), text.marks(done), as_json)
    raise process.Ended(done.exit_code)


def traces(session: Session, found: list[Trace], *, as_json: bool) -> NoReturn:
    """Show what the hosts keep of one run, for each service that it was about."""
    for trace in found:
        show_lost(session, trace.lost)
    lines = (line for trace in found for line in history_text.trace(trace))
    print_result(session, documents.traces(found), lines, as_json)
    raise process.Ended(max(trace.exit_code for trace in found))


def drills(session: Session, done: Drills, *, file: Path | None, as_json: bool) -> NoReturn:
    """Show the result of the drills: how many worked, what that proves, and how long they took."""
    result, record = done.result, done.result.record
    session.step.ungroup()
    lines = list(drills_text.lines(done))
    first_aid = list(text.first_aid(record, result.first_aid, local=result.local)) if done.exit_code else []
    unshown = session.step.ended_with(record, text.top(lines, first_aid), file)
    session.console.show((Line(f"! {why}", "warning") for why in (*result.unpublished, *unshown)), err=True)
    with process.result_is_optional():
        print_result(session, drills_text.document(done), lines, as_json)
    session.console.show(first_aid, err=True)
    raise process.Ended(done.exit_code)


def planned(session: Session, entry: ScheduleEntry, *, as_json: bool) -> NoReturn:
    lines = list(schedule_text.planned(entry))
    session.step.because((line.text for line in lines), "Schedule", entry.asked.environment)
    print_result(session, schedule_text.entry(entry), lines, as_json)
    raise process.Ended(0)


def schedule(session: Session, found: Schedule, *, as_json: bool) -> NoReturn:
    show_lost(session, found.lost)
    lines = list(schedule_text.listed(found.entries))
    session.step.because((line.text for line in (*text.lost(found.lost), *lines)), "Schedule")
    print_result(session, {"entries": [schedule_text.entry(each) for each in found.entries]}, lines, as_json)
    raise process.Ended(found.exit_code)


def carried_out(session: Session, ran: Ran, *, file: Path | None, as_json: bool) -> NoReturn:
    """Show what became of the scheduled rollbacks that were due."""
    show_lost(session, ran.lost)
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
        print_result(session, schedule_text.document(ran), lines, as_json)
    raise process.Ended(ran.exit_code)


def finished(session: Session, done: Finished) -> NoReturn:
    record = done.record
    if record and done.filed:
        ids = [each.deployment.id for each in record.services or (record,) if each.deployment.id]
        session.console.show([Line(f"✓ recorded on GitHub: deployment {', '.join(map(str, ids))}", "good")], err=True)
    session.console.show((Line(f"! {why}", "warning") for why in done.warnings), err=True)
    session.step.finished(record, done.file, text.top(text.result(record), ()) if record else ())
    raise process.Ended(done.exit_code)
