"""The traces of one run on the hosts: its events in their journals, and the service's log since. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rollback_ops.commands.context import Context
from rollback_ops.commands.history import contexts
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.journal import RunEvent, events_of, last_run, read_journal
from rollback_ops.core.model import ServiceId
from rollback_ops.core.record import Record
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.text import one_line, quoted, short

# Events and lines of one host, and characters of one text.
_MOST = 200
_LONGEST = 500


@frozen
class HostTrace:
    """The traces of a run on one host. ``left_out``: how many more events it has.

    ``log``: the last lines of the service since the run started it; empty where a later run has changed the host.
    """

    host: str
    events: tuple[RunEvent, ...]
    left_out: int = 0
    log: tuple[str, ...] = ()


@frozen
class Trace:
    """The traces of a run on its hosts, redacted. ``record``: None where no journal has it.

    ``lost``: the hosts that did not answer.
    """

    run: str
    about: ServiceId
    hosts: tuple[HostTrace, ...]
    lost: Mapping[str, RollbackOpsError]
    record: Record | None = None

    @property
    def found(self) -> bool:
        return self.record is not None or any(host.events for host in self.hosts)

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost or not self.found else Exit.OK


def trace(context: Context, run: str, cancellation: Cancellation) -> Trace:
    """Read the journals of all hosts, and the log of the service where the run was the last one there."""
    hosts, about = {host.name: host for host in context.hosts}, context.job.about

    def look(name: str) -> tuple[HostTrace, Record | None]:
        lines = list(hosts[name].journal())
        found = events_of(lines, run, about)
        log = hosts[name].logs() if found and last_run(lines, about) == run else ()
        record = next((each for each in read_journal(lines, about)[0] if each.id == run), None)
        return _trace_of(context, name, found, log), record

    with context.closing():
        answers = sort_answers(each(hosts, look, SURVEY_WITHIN, cancellation))
    records = (record.redacted(context.redact) for _, record in answers.found.values() if record)
    traces = tuple(found for found, _ in answers.found.values())
    return Trace(run, about, traces, answers.lost, next(records, None))


def find(
    settings: Settings, environ: Mapping[str, str], options: CommandOptions, secrets: Secrets, run: str
) -> list[Trace]:
    """Look for a run in the chosen environments and services, or in all of them.

    Raises ``Refused`` where no journal knows it.
    """
    traces = [trace(context, run, Cancellation()) for context in contexts(settings, environ, options, secrets)]
    found = [each for each in traces if each.found]
    if not found:
        lost = {host: error for each in traces for host, error in each.lost.items()}
        where = f"; {len(lost)} hosts did not answer: {', '.join(lost)}" if lost else ""
        raise Refused(f"no journal has the run {quoted(run)}{where}", "`rollback-ops history list --json` has the ids.")
    return found


def _trace_of(context: Context, host: str, found: Sequence[RunEvent], log: Sequence[str]) -> HostTrace:
    shown = tuple(_without_secrets(context, event) for event in found[:_MOST])
    return HostTrace(host, shown, len(found) - len(shown), tuple(_bounded(context, line) for line in log))


def _without_secrets(context: Context, event: RunEvent) -> RunEvent:
    return replace(event, about=_bounded(context, event.about), detail=_bounded(context, event.detail))


def _bounded(context: Context, text: str) -> str:
    return short(one_line(context.redact(text)), _LONGEST)
