"""``install``, ``uninstall``: the break-glass program on the hosts, and whether it is up to date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from rollback_ops import checks
from rollback_ops.commands.context import Context, hurried
from rollback_ops.commands.result import Answers, sort_answers
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import InstallOutcome, UninstallOutcome
from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.engine.schedule import entries_in
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import installed
from rollback_ops.hosts.agent.restricted import PLACE

T = TypeVar("T")
_INSTALL_WITHIN = 12.0
_STAMP_WITHIN = 5.0


@frozen
class _InstallResult(Generic[T]):
    """``path`` is the program's place on each host; ``hosts`` says what became of the file that was there."""

    path: str
    hosts: Mapping[str, T]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


class Installation(_InstallResult[InstallOutcome]):
    """The program was installed."""


class Removal(_InstallResult[UninstallOutcome]):
    """The program was removed."""


def install(context: Context, cancellation: Cancellation) -> Installation:
    """Install the break-glass program on every host."""
    context.refuse_limits()
    program, hosts = program_for(context), {host.name: host for host in context.hosts}
    with context.closing():
        done = each(hosts, lambda name: hosts[name].install(program), _INSTALL_WITHIN, cancellation)
    answers: Answers[InstallOutcome] = sort_answers(done)
    return Installation(f"{context.job.service.root}/{PLACE}", answers.found, answers.lost)


def uninstall(context: Context, cancellation: Cancellation, *, purge: bool) -> Removal:
    """Remove the break-glass program from every host. ``purge`` also removes what runs have stored there.

    A host whose journal has scheduled rollbacks to come is not purged, nor one whose journal cannot be read.
    """
    context.refuse_limits()
    program, hosts = program_for(context), {host.name: host for host in context.hosts}

    def work(name: str) -> UninstallOutcome:
        if purge:
            _refuse_scheduled(hosts[name], context)
        return hosts[name].uninstall(program, purge=purge)

    with context.closing():
        done = each(hosts, work, _INSTALL_WITHIN, cancellation)
    answers: Answers[UninstallOutcome] = sort_answers(done)
    return Removal(f"{context.job.service.root}/{PLACE}", answers.found, answers.lost)


def _refuse_scheduled(host: Host, context: Context) -> None:
    """Raise ``Refused`` where the journal of a host has scheduled rollbacks that have not ended."""
    planned = [each.asked.id for each in entries_in(host.journal(), context.job.about) if not each.ended]
    if planned:
        raise Refused(
            f"{host.name}: nothing was removed: it keeps scheduled rollbacks ({len(planned)}): {', '.join(planned)}",
            f"Cancel them first: rollback-ops schedule cancel {planned[0]} --local-store",
        )


def outdated(context: Context, names: Iterable[str]) -> Iterator[str]:
    """Yield a warning for each installed break-glass program that differs from what it should be now.

    ``names`` are the hosts that answered: a host that refuses a key must not be tried again.
    """
    program, hosts = program_for(context), {host.name: host for host in context.hosts if host.name in set(names)}
    stamps = each(hosts, lambda name: hosts[name].stamp(), _STAMP_WITHIN, Cancellation())
    for name, stamp in stamps.items():
        if isinstance(stamp, str) and (differs := installed.difference(stamp, program)):
            environment = context.job.environment_name
            yield f"{name}: the break-glass program there {differs}: run `rollback-ops install {environment}`"


def program_for(context: Context) -> str:
    """Return the text of the break-glass program, which is the same on all hosts."""
    job = context.job
    probes = checks.build(job.service.checks, installed.RELEASE)
    questions = {name: question for name, check in probes.items() if (question := getattr(check, "question", None))}
    questions |= checks.counters(job.service.checks)
    return installed.render(
        installed.InstalledProgram(
            about=job.about,
            service=job.service,
            manager=managers.build(job.service, job.service_name),
            reader=managers.reader(job.service),
            questions=questions,
            thresholds=checks.thresholds(job.service.checks, job.service.verify),
            hurried=hurried(job.service),
            groups=job.groups,
        )
    )
