"""``outlook``: readiness of a rollback, and failures of earlier deployments. Changes and forbids nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.run import fleet_of, spec_of
from rollback_ops.config.reason import Reason
from rollback_ops.core.deployments import MOST_DEPLOYMENTS, PastDeployment, of_one_history, releases_on, with_failures
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Survey
from rollback_ops.core.outlook import Outlook, look_ahead
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.revision import same
from rollback_ops.core.rollout import named
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.readiness import few_left
from rollback_ops.engine.schema import check_schema
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.git import added_lines
from rollback_ops.integrations.github.api import GitHubError

_SHOWN = 3
_GITHUB_WITHIN = 20.0
# Seconds for counting the lines of all earlier changes.
_SIZES_WITHIN = 10.0


@frozen
class Readiness:
    """One thing that a rollback needs. ``holds``: None where it is not known."""

    name: str
    holds: bool | None
    detail: str


@frozen
class LookedAhead:
    """The result of ``outlook``. ``source``: where deployments were read, ``missing``: why not elsewhere."""

    environment: str
    revision: str
    readiness: Sequence[Readiness]
    outlook: Outlook
    source: str
    missing: Sequence[str]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        """Always 0: an outlook forbids no deployment."""
        return Exit.OK


def outlook(context: Context, progress: Progress, cancellation: Cancellation) -> LookedAhead:
    """Survey the hosts, read the history, and look ahead. Raises ``Cancelled`` when a signal comes."""
    spec = spec_of(context, Reason("outlook: could the next deployment be rolled back?"))
    revision, about = context.request.revision, context.job.about
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in answers.found}
        journals = sort_answers(each(hosts, lambda name: hosts[name].journal(), SURVEY_WITHIN, cancellation))
        records = read_journal((line for lines in journals.found.values() for line in lines), about)[0]
        surveys, fleet = list(answers.found.values()), fleet_of(context, progress, cancellation)
        decision = choose(replace(spec, schema=None), fleet, surveys, {})
        schema = [_schema(spec, fleet, surveys, decision)] if isinstance(decision, Plan) else []
    deployments, source, missing = _deployments(context, surveys, records, cancellation)
    past = _sized(with_failures(deployments, records))
    few = [Readiness("releases", False, why) for why in few_left(surveys, spec.selection)]
    ways = _ways(decision, surveys, revision)
    readiness = (*ways, *_hosts(surveys, answers.lost), *schema, *few, _drilled(records))
    found = look_ahead(past, _planned(past, surveys, revision) if revision else None)
    return LookedAhead(
        context.request.environment, revision, readiness, found, source, missing, {**answers.lost, **journals.lost}
    )


def _deployments(
    context: Context, surveys: Sequence[Survey], records: list[Record], cancellation: Cancellation
) -> tuple[list[PastDeployment], str, list[str]]:
    """Return the deployments of GitHub or, without it, the releases that hosts still have."""
    on_hosts = releases_on(surveys)
    if context.repository is None:
        why = "GitHub was not asked: set GITHUB_REPOSITORY and GITHUB_TOKEN for a longer history"
        return on_hosts, "the releases that the hosts still have", [why]
    repository, redact, environment = context.repository, context.redact, context.request.environment

    def read(_: str) -> list[PastDeployment]:
        from rollback_ops.integrations.github.client import DeploymentClient
        from rollback_ops.integrations.github.history import read_payloads

        client = DeploymentClient(repository, redact)
        known = {record.id for record in records}
        for page in client.pages(environment):
            there = [r for r in read_payloads(page)[0] if r.about == context.job.about and r.id not in known]
            records.extend(there)
        return of_one_history((each.sha, each.created_at) for each in client.deployed(environment, MOST_DEPLOYMENTS))

    found = each(["GitHub"], read, _GITHUB_WITHIN, cancellation)["GitHub"]
    if isinstance(found, RollbackOpsError):
        why = found.message if isinstance(found, GitHubError) else "it did not answer in time"
        return on_hosts, "the releases that the hosts still have", [f"GitHub could not be read: {why}"]
    return found, "the deployments on GitHub", []


def _sized(past: list[PastDeployment]) -> list[PastDeployment]:
    """Return the deployments with the lines that each added to the one before, newest first until time is up."""
    ends, found = time.monotonic() + _SIZES_WITHIN, list(past)
    for number in range(len(past) - 1, 0, -1):
        if time.monotonic() > ends:
            break
        found[number] = replace(past[number], added=added_lines(past[number - 1].revision, past[number].revision))
    return found


def _planned(past: Sequence[PastDeployment], surveys: Sequence[Survey], revision: str) -> PastDeployment:
    now, live = time.time(), next((survey.live.revision for survey in surveys if survey.live.revision), "")
    last = past[-1] if past else None
    return PastDeployment(
        revision,
        now,
        added=added_lines(live, revision),
        gap=now - last.at if last else None,
        after_failure=bool(last and last.failed),
    )


def _ways(decision: Plan | NothingToDo | Refusal, surveys: Sequence[Survey], revision: str) -> Iterator[Readiness]:
    """Yield the target of a rollback after the deployment, and whether its files are known to be complete."""
    lives = {survey.host: survey.release(survey.live.name) for survey in surveys}
    deployed = any(live and same(live.revision, revision) for live in lives.values())
    if revision and not deployed and surveys:
        names = sorted({live.name if live else "nothing" for live in lives.values()})
        good = [live is not None and live.mark == "good" for live in lives.values()]
        bad = any(live is None or live.mark == "bad" for live in lives.values())
        told = f"it would return to {', '.join(names)}, which is live now"
        yield Readiness("target", True if all(good) else False if bad else None, told)
        targets = list(lives.values())
    elif isinstance(decision, Plan):
        yield Readiness("target", True, f"a rollback would return to {decision.target}")
        targets = [survey.release(decision.target_on(survey.host)) for survey in surveys]
    else:
        why = decision.why if surveys else "no host can be reached"
        yield Readiness("target", False if surveys else None, why)
        return
    sealed = all(target and target.sealed for target in targets)
    unsealed = "it is not sealed, so nothing shows that its files are complete"
    yield Readiness("seal", sealed, "its files are sealed" if sealed else unsealed)


def _hosts(surveys: Sequence[Survey], lost: Mapping[str, RollbackOpsError]) -> Iterator[Readiness]:
    """Yield the blockers of the hosts (a full disk, missing rights), and the hosts that could not be asked."""
    blockers = [f"{survey.host}: {why}" for survey in surveys for why in survey.blockers]
    if blockers:
        yield Readiness("hosts", False, "; ".join(blockers[:_SHOWN]))
    elif lost or not surveys:
        yield Readiness("hosts", None, f"{named(lost)} could not be asked" if lost else "no host could be asked")
    else:
        yield Readiness("hosts", True, f"{named([survey.host for survey in surveys])}: nothing blocks a rollback")


def _schema(spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey], plan: Plan) -> Readiness:
    if spec.schema is None:
        return Readiness("schema", None, "the settings do not say how to compare migrations (schema)")
    checked = check_schema(spec, fleet, surveys, plan)
    if isinstance(checked, Plan):
        new = [warning for warning in checked.warnings if warning not in plan.warnings]
        return Readiness("schema", not new, new[0] if new else "the target knows the database as it is now")
    return Readiness("schema", False, checked.why)


def _drilled(records: Sequence[Record]) -> Readiness:
    """Return the result of the last drill."""
    drills = [record for record in records if record.drill]
    last = max(drills, key=lambda record: record.started_at, default=None)
    if last is None:
        return Readiness("drill", None, "no drill is recorded")
    return Readiness("drill", last.outcome == "succeeded", f"the last one, of {last.started_at[:10]}: {last.outcome}")
