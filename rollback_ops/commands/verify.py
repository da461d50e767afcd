"""``verify``: run the checks against what is live now, and mark the release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rollback_ops import checks
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Claim, Verification
from rollback_ops.core.model import Note, Survey
from rollback_ops.core.outcome import EXIT_CODES, outcome_of, overall
from rollback_ops.core.ports import Host
from rollback_ops.core.record import HostOutcome, Outcome
from rollback_ops.core.run import evidence, new_run, note_of
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.engine import verify as engine


@dataclass(frozen=True, slots=True)
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

    Raises ``Cancelled`` when a signal comes.
    """
    within = context.job.service.limits.verification
    with context.closing():
        surveyed = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in surveyed.found}
        prove = _prove(context, hosts, surveyed.found, within, cancellation)
        verified = sort_answers(each(hosts, prove, within + SURVEY_WITHIN, cancellation))
    lost = {**surveyed.lost, **verified.lost}
    outcomes: dict[str, HostOutcome] = dict.fromkeys(lost, "unreachable")
    outcomes |= {name: outcome_of(verification) for name, verification in verified.found.items()}
    lives = {name: surveyed.found[name].live.name for name in verified.found}
    marks = {name: _note(lives[name], verification) for name, verification in verified.found.items()}
    return Verified(context.job.environment_name, outcomes, verified.found, lives, marks, lost)


def _prove(
    context: Context,
    hosts: Mapping[str, Host],
    surveys: Mapping[str, Survey],
    within: float,
    cancellation: Cancellation,
) -> Callable[[str], Verification]:
    run, service = new_run(), context.job.service
    thresholds = checks.thresholds(service.checks, service.verify)

    def prove(name: str) -> Verification:
        release = surveys[name].live.name
        after = checks.after(checks.build(service.checks, release))
        found = engine.verify(hosts[name], after, thresholds, within, Claim(run, release), cancellation)
        if note := _note(release, found):
            hosts[name].record(run, {release: (note, context.redact("; ".join(evidence(found))))}, "")
        return found

    return prove


def _note(release: str, verification: Verification) -> Note | None:
    return note_of(verification) if release else None
