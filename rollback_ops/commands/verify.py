"""``verify``: run the checks on the live release, and mark it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rollback_ops import checks
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.run import buckets_by, fetched_by
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Claim, Verification
from rollback_ops.core.model import HostCommand, Note, ServiceState, Survey
from rollback_ops.core.notes import evidence, note_of
from rollback_ops.core.outcome import EXIT_CODES, outcome_of, overall
from rollback_ops.core.ports import Host
from rollback_ops.core.record import HostOutcome, Outcome
from rollback_ops.core.run import new_run
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.engine import verify as engine
from rollback_ops.engine.deployed import deployed_on
from rollback_ops.engine.meters import World
from rollback_ops.engine.metrics import watch_metrics, with_evidence


@frozen
class Verified:
    """``outcomes`` has every host, ``found`` those that could be verified, ``lost`` the others.

    ``lives`` and ``marks``: the live release of each host that was verified, and its mark; None: none.
    """

    environment: str
    outcomes: Mapping[str, HostOutcome]
    found: Mapping[str, Verification]
    lives: Mapping[str, str]
    marks: Mapping[str, Note | None]
    lost: Mapping[str, RollbackOpsError]

    @property
    def outcome(self) -> Outcome:
        return overall(list(self.outcomes.values()))

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


def verify(context: Context, cancellation: Cancellation) -> Verified:
    """Verify the live release of every host, and mark it good or bad; an unknown health marks nothing.

    Raises ``Cancelled`` when a signal comes, and ``UsageError`` for a dry run: marks would be written.
    """
    context.refuse_limits()
    run, within = new_run(), context.job.service.limits.verification
    with context.closing():
        surveyed = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in surveyed.found}
        prove = _prove(context, run, hosts, surveyed.found, within, cancellation)
        verified = sort_answers(each(hosts, prove, within + SURVEY_WITHIN, cancellation))
        found = _judged(context, hosts, surveyed.found, verified.found, cancellation)
        notes = {name: _note(surveyed.found[name].live.name, verification) for name, verification in found.items()}
        noting = _noting(context, run, hosts, surveyed.found, found)
        noted = sort_answers(each([n for n in found if notes[n]], noting, SURVEY_WITHIN, cancellation))
    lost = {**surveyed.lost, **verified.lost, **noted.lost}
    found = {name: verification for name, verification in found.items() if name not in lost}
    outcomes: dict[str, HostOutcome] = dict.fromkeys(lost, "unreachable")
    outcomes |= {name: outcome_of(verification) for name, verification in found.items()}
    lives = {name: surveyed.found[name].live.name for name in found}
    return Verified(context.job.environment_name, outcomes, found, lives, notes, lost)


def _prove(
    context: Context,
    run: str,
    hosts: Mapping[str, Host],
    surveys: Mapping[str, Survey],
    within: float,
    cancellation: Cancellation,
) -> Callable[[str], Verification]:
    service = context.job.service
    thresholds = checks.thresholds(service.checks, service.verify)

    def prove(name: str) -> Verification:
        release = surveys[name].live.name
        after = checks.after(checks.build(service.checks, release))
        return engine.verify(hosts[name], after, thresholds, within, Claim(run, release), cancellation)

    return prove


def _judged(
    context: Context,
    hosts: Mapping[str, Host],
    surveys: Mapping[str, Survey],
    found: Mapping[str, Verification],
    cancellation: Cancellation,
) -> Mapping[str, Verification]:
    """Watch the metrics of a release whose checks pass. Adds the verdicts to the hosts that run the newest release."""
    metrics = checks.metrics(context.job.service.checks)
    if not metrics or not found or not all(verification.healthy for verification in found.values()):
        return found

    def ask(questions: Sequence[HostCommand]) -> Mapping[str, ServiceState | RollbackOpsError]:
        return each(found, lambda name: hosts[name].ask("", questions), SURVEY_WITHIN, cancellation)

    def pause(seconds: float) -> None:
        cancellation.wait(seconds)
        cancellation.check()

    deployed = deployed_on([surveys[name] for name in found], context.job.service.order, context.request.since)
    shown = watch_metrics(metrics, deployed, World(ask, fetched_by(context), pause, buckets=buckets_by(context)))
    newest = {name for name in found if deployed.lives[name] == deployed.newest}
    return {n: with_evidence(v, shown) if n in newest else v for n, v in found.items()}


def _noting(
    context: Context,
    run: str,
    hosts: Mapping[str, Host],
    surveys: Mapping[str, Survey],
    found: Mapping[str, Verification],
) -> Callable[[str], None]:
    """Return the note with which a host stores the result of its verification."""

    def note(name: str) -> None:
        release, verification = surveys[name].live.name, found[name]
        if said := _note(release, verification):
            why = context.redact("; ".join(evidence(verification)))
            hosts[name].record(run, {release: (said, why)}, "")

    return note


def _note(release: str, verification: Verification) -> Note | None:
    return note_of(verification) if release else None
