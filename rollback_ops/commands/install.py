"""The program for people on the hosts: put there, and compared with what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from rollback_ops import checks
from rollback_ops.cli.output import documents, terminal, text
from rollback_ops.commands.context import Context, hurried
from rollback_ops.core import tasks
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.tasks import Cancellation
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import installed
from rollback_ops.hosts.agent.restricted import PLACE

_WITHIN = 12.0
_LOOK_WITHIN = 5.0


def install(wired: Context, *, as_json: bool) -> int:
    """Put the program on every host; an exit code."""
    program, hosts = text_for(wired), {host.name: host for host in wired.hosts}
    with closing(wired):
        done = tasks.each(hosts, lambda name: hosts[name].install(program), _WITHIN, Cancellation())
    lost = {name: how for name, how in done.items() if isinstance(how, RollbackOpsError)}
    put = {name: how for name, how in done.items() if not isinstance(how, RollbackOpsError)}
    terminal.show(text.lost(lost), err=True)
    place = f"{wired.job.service.root}/{PLACE}"
    if as_json:
        documents.show({"path": place, "hosts": [{"host": name, "outcome": how} for name, how in put.items()]})
    else:
        terminal.show(text.Line(f"✓ {name}  {place}: {how}", "good") for name, how in put.items())
    return Exit.REFUSED if lost else Exit.OK


def stale(wired: Context, names: Iterable[str]) -> Iterator[str]:
    """What is to be said of programs that were installed once, and are not what they should be now.

    ``names`` are the hosts that could be reached: one that refuses a key must not be tried again.
    """
    program, hosts = text_for(wired), {host.name: host for host in wired.hosts if host.name in set(names)}
    stamps = tasks.each(hosts, lambda name: hosts[name].stamp(), _LOOK_WITHIN, Cancellation())
    for name, stamp in stamps.items():
        if isinstance(stamp, str) and (differs := installed.difference(stamp, program)):
            environment = wired.job.environment_name
            yield f"{name}: the program installed there {differs}: run `rollback-ops install {environment}`"


def text_for(wired: Context) -> str:
    """The text of the file, which is the same on all hosts."""
    job = wired.job
    looks = checks.build(job.service.checks, installed.RELEASE)
    asked = {name: question for name, check in looks.items() if (question := getattr(check, "question", None))}
    return installed.render(
        installed.Installation(
            service_name=job.service_name,
            environment_name=job.environment_name,
            service=job.service,
            manager=managers.build(job.service, job.service_name),
            questions=asked,
            unstartable=managers.UNSTARTABLE,
            hurried=hurried(job.service).limits,
        )
    )
