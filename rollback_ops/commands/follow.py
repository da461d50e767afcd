"""Follow the rollbacks that are going on, whoever started them: the runs that hold hosts, and their steps.

Changes nothing. The dashboard calls it repeatedly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.journal import steps_of
from rollback_ops.core.model import ServiceId, StepReport, Survey
from rollback_ops.core.tasks import Cancellation, each


@frozen
class HostSteps:
    """The steps of a run on one host so far. ``target``: where it goes; empty before and after its transaction."""

    host: str
    steps: tuple[StepReport, ...]
    target: str = ""


@frozen
class RunningNow:
    """A run that holds hosts now. ``by`` is empty for an interrupted transaction, whose lease is over."""

    run: str
    by: str
    run_url: str
    since: str
    hosts: tuple[HostSteps, ...]


@frozen
class Following:
    """The runs that hold hosts now, and the hosts that did not answer."""

    about: ServiceId
    runs: tuple[RunningNow, ...]
    lost: Mapping[str, RollbackOpsError]


def follow(context: Context, cancellation: Cancellation) -> Following:
    """Survey the hosts, and read the journals of those that a run holds."""
    hosts = {host.name: host for host in context.hosts}
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        busy = {name: found for name, found in answers.found.items() if run_on(found)}
        journals = sort_answers(each(busy, lambda name: hosts[name].journal(), SURVEY_WITHIN, cancellation)).found
    return Following(context.job.about, running(context.job.about, busy.values(), journals), answers.lost)


def running(
    about: ServiceId, surveys: Iterable[Survey], journals: Mapping[str, Sequence[str]]
) -> tuple[RunningNow, ...]:
    """Return the runs that hold these hosts, each with the steps that its hosts' journals tell."""
    by_run: dict[str, list[Survey]] = {}
    for survey in surveys:
        by_run.setdefault(run_on(survey), []).append(survey)
    return tuple(_run(run, about, busy, journals) for run, busy in by_run.items() if run)


def run_on(survey: Survey) -> str:
    """Return the run that holds a host; empty where none does."""
    found = survey.lease or survey.interrupted
    # Each attempt of a run has the run's id with a number behind it.
    return found.run.partition(".")[0] if found else ""


def _run(run: str, about: ServiceId, surveys: Sequence[Survey], journals: Mapping[str, Sequence[str]]) -> RunningNow:
    lease = next((survey.lease for survey in surveys if survey.lease), None)
    hosts = (
        HostSteps(
            survey.host,
            steps_of(journals.get(survey.host, ()), run, about),
            survey.unfinished.target if survey.unfinished else "",
        )
        for survey in surveys
    )
    return RunningNow(
        run, lease.owner if lease else "", lease.run_url if lease else "", lease.since if lease else "", tuple(hosts)
    )
