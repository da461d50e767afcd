"""Readiness: runs the checks of the live release once, to see whether a verification could rely on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rollback_ops import checks
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Finding
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import Plan, Refusal, Selection, make_plan
from rollback_ops.core.rollout import named
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec

FEW_LEFT = "{} left that a rollback could go to: let the clean-up of deployments keep more releases"
_TOLD = {
    "failed": "the check {name} does not pass on {live}, which is live: {detail}. "
    "If that release works, correct the check",
    "unknown": "the check {name} could not be run, so after a rollback the health would be unknown: {detail}",
}


def warnings(spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey]) -> Iterator[str]:
    """Yield warnings about the checks themselves. None of them refuses a rollback.

    A check that fails may be set up wrongly, or the live release may be the bad one: a person can tell. A check that
    could not be run (a name that does not resolve, a log that may not be read) would prove nothing after a rollback.
    """
    lives = {survey.host: survey.live.name for survey in surveys if survey.live.state == "release"}
    if {check.kind for check in checks.after(spec.checks("")).values()} == {"process"}:
        yield (
            "only the process is checked after a rollback, so a release that runs but does not work passes: "
            f"add a check to services.{spec.info.service}.checks"
        )
    found = fleet.ask_once(lives, lambda name: checks.after(spec.checks(lives[name])))
    for text, hosts in _by_text(spec, lives, found).items():
        yield f"{named(hosts)}: {text}"


def _by_text(
    spec: RollbackSpec, lives: Mapping[str, str], found: Mapping[str, Mapping[str, Finding] | RollbackOpsError]
) -> dict[str, list[str]]:
    """Return the warnings, each with its hosts."""
    told: dict[str, list[str]] = defaultdict(list)
    for host, findings in found.items():
        if isinstance(findings, RollbackOpsError):
            told[f"its checks could not be run: {findings.message}"].append(host)
            continue
        for name, finding in findings.items():
            if words := _TOLD.get(finding.verdict):
                told[spec.redact(words.format(name=name, live=lives[host], detail=finding.detail))].append(host)
    return told


def few_left(surveys: Sequence[Survey], selection: Selection) -> Iterator[str]:
    """Yield a warning when fewer than two releases are eligible: the clean-up of a deployment may remove the last one.

    A first deployment gets no warning, nor does a survey from which no plan can be made for another reason.
    """
    if all(len(survey.releases) < 2 for survey in surveys):
        return
    plan = make_plan(surveys, selection.anew())
    if isinstance(plan, Plan) and len(plan.eligible) == 1:
        yield FEW_LEFT.format(f"only {plan.target} is")
    elif isinstance(plan, Refusal) and plan.rejected and not plan.eligible:
        yield FEW_LEFT.format("none is")
