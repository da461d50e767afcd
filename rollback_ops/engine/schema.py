"""The schema gate: refuses a target that lacks a migration of the database, before any service is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rollback_ops.config import Schema
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.model import Survey
from rollback_ops.core.order import Ranking
from rollback_ops.core.plan import Plan, Refusal
from rollback_ops.core.schema import KnownSchema, SchemaAnswer, named, unknown_to
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec

# Seconds: an emergency does not wait longer for the database.
_IN_A_HURRY = 3.0
# At most this many releases are compared, to name one that knows the database.
_MOST_ASKED = 30
_GO_ON = "--ignore-schema rolls back to it all the same."


def check_schema(spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey], plan: Plan) -> Plan | Refusal:
    """Ask one host for the migrations of the database, and compare them with those that the target knows.

    Returns the plan, perhaps with a warning, or why it is refused. Unknown versions refuse it, too.
    """
    going = {host.host for host in plan.with_action("switch")}
    asked = next((survey for survey in surveys if survey.host in going), None)
    if spec.schema is None or asked is None:
        return plan
    fleet.progress.phase("schema", f"comparing {plan.target} with the database, on {asked.host}")
    found = _objection(spec.schema, spec, fleet, asked, plan)
    if found is None:
        return plan
    tolerated = _tolerated(spec)
    if not tolerated:
        return replace(found, rejected=plan.rejected)
    return replace(plan, warnings=(*plan.warnings, f"{found.why} ({tolerated})"))


def _tolerated(spec: RollbackSpec) -> str:
    """Return why the rollback goes on although the database is ahead; empty when it does not."""
    if spec.ignore_schema:
        return "--ignore-schema"
    if spec.selection.emergency:
        return "the emergency goes on"
    return 'on_ahead = "warn"' if spec.schema and spec.schema.on_ahead == "warn" else ""


def _objection(schema: Schema, spec: RollbackSpec, fleet: Fleet, asked: Survey, plan: Plan) -> Refusal | None:
    timeout = min(schema.timeout, _IN_A_HURRY) if spec.selection.emergency else schema.timeout
    answer = fleet.schema(asked.host, [plan.target_on(asked.host), asked.origin], timeout)
    if isinstance(answer, RollbackOpsError):
        return _unknown(f"{asked.host}: {answer.message}")
    target = answer.known.get(plan.target_on(asked.host), KnownSchema(readable=False))
    versions, why = _versions(schema, answer, asked.origin)
    if versions is None:
        return _unknown(f"{asked.host}: {why}")
    if not target.readable:
        return _unknown(f"{plan.target} has no {schema.understands}, on {asked.host}")
    ahead = unknown_to(target, versions, by_file=bool(schema.understands))
    if not ahead:
        return None
    nearest = _nearest(schema, spec, fleet, asked, plan.target_on(asked.host), versions)
    why = f"the database is ahead of {plan.target}, which does not know {named(ahead)}"
    known = f"The nearest release that knows it is {nearest}: name it with --to."
    hint = known if nearest else "No newer eligible release knows it."
    return Refusal(why, f"{hint} {_GO_ON}", lasting=True)


def _versions(schema: Schema, answer: SchemaAnswer, origin: str) -> tuple[tuple[str, ...] | None, str]:
    """Return the database's versions, or why they are unknown. Without a command: the live release's."""
    if schema.current:
        return answer.versions, answer.why
    live, name = answer.known.get(origin), origin or "the live release"
    if live is None or not live.readable:
        return None, f"{name} cannot be read"
    return (live.lines, "") if live.lines else (None, f"{name} has no file like {', '.join(schema.migrations)}")


def _unknown(why: str) -> Refusal:
    return Refusal(f"it is unknown whether the target knows all migrations of the database: {why}", _GO_ON)


def _nearest(
    schema: Schema, spec: RollbackSpec, fleet: Fleet, asked: Survey, target: str, versions: Sequence[str]
) -> str:
    """Return the release nearest to the target that knows the database and is not bad; empty when there is none."""
    ranking = Ranking([asked], spec.selection.order)
    sound = [r.name for r in asked.releases if not r.problem and r.mark != "bad"]
    usable = [name for name in sound if name not in (target, asked.origin)]
    newer = [name for name in ranking.newest_first(usable) if ranking.newer(name, target)][-_MOST_ASKED:]
    answer = fleet.schema(asked.host, newer, None) if newer else None
    if answer is None or isinstance(answer, RollbackOpsError):
        return ""
    knows = {n: k for n, k in answer.known.items() if k.readable}
    able = [n for n in newer if n in knows and not unknown_to(knows[n], versions, by_file=bool(schema.understands))]
    return able[-1] if able else ""
