"""The documents of ``--json``: exactly one for each command. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.fleet_plan import FleetPlan
from rollback_ops.core.health import Verification
from rollback_ops.core.hold import standing
from rollback_ops.core.model import Hold, Survey
from rollback_ops.core.plan import NothingToDo, Plan
from rollback_ops.core.run import rfc3339

if TYPE_CHECKING:
    from rollback_ops.commands.arm import Arming, Confirmation
    from rollback_ops.commands.gate import Gate
    from rollback_ops.commands.history import History
    from rollback_ops.commands.hold import Held
    from rollback_ops.commands.install import Installation, Removal
    from rollback_ops.commands.list import Releases
    from rollback_ops.commands.mark import Marked
    from rollback_ops.commands.preview import Preview
    from rollback_ops.commands.preview_group import GroupPreview
    from rollback_ops.commands.seal import Sealed
    from rollback_ops.commands.trace import Trace
    from rollback_ops.commands.verify import Verified
    from rollback_ops.core.deployments import Rate
    from rollback_ops.core.shard_jobs import RegionJobs
    from rollback_ops.core.statistics import Spread, Statistics

Document = dict[str, Any]


def releases(found: Releases) -> Document:
    decision = found.decision
    rejected = [] if isinstance(decision, NothingToDo) else [asdict(r) for r in decision.rejected]
    return {
        "environment": found.environment,
        "target": decision.target if isinstance(decision, Plan) else None,
        "why_none": None if isinstance(decision, Plan) else decision.why,
        "rejected": rejected,
        "order": {"by": found.ranking.order, "why": found.ranking.why},
        "holds": [_hold(hold) for hold in found.holds],
        "hosts": [{**_survey(each), "region": found.regions.get(each.host)} for each in found.surveys.values()],
        "unreachable": unreachable(found.lost),
    }


def of_group(group: str, services: Mapping[str, Document]) -> Document:
    return {"group": group, "services": dict(services)}


def _survey(survey: Survey) -> Document:
    keys = ("host", "live", "releases", "units", "lease", "unfinished", "armed", "blockers", "warnings", "deploying")
    whole = asdict(survey)
    return {key: whole[key] for key in keys}


def holds(held: Held) -> Document:
    return {
        "environment": held.environment,
        "done": held.done,
        "held": bool(standing(held.holds, held.now)),
        "holds": [_hold(hold) for hold in held.holds],
        "unreachable": unreachable(held.lost),
    }


def _hold(hold: Hold) -> Document:
    return asdict(hold) | {"since": _moment(hold.since), "until": _moment(hold.until)}


def preview(found: Preview) -> Document:
    decision = found.decision
    plan = decision if isinstance(decision, Plan) else None
    return {
        "environment": found.environment,
        "leaves": asdict(found.leaves) if found.leaves else None,
        "returns_to": asdict(found.returns_to) if found.returns_to else None,
        "why_none": None if isinstance(decision, Plan) else decision.why,
        "refused": found.refusal or None,
        "hash": found.hash or None,
        "deployed_by": found.deployed_by or None,
        "commits": asdict(found.commits),
        "migrations": None if found.migrations is None else list(found.migrations),
        "dependencies": [asdict(file) for file in found.dependencies],
        "files": asdict(found.files) | {"directories": [asdict(each) for each in found.files.by_directory()]},
        "settings": [asdict(keys) for keys in found.settings],
        "expected": asdict(found.expected),
        "holds": list(found.holds),
        "hosts": [{"host": h.host, "action": h.action, "why": h.why} for h in plan.hosts] if plan else [],
        "warnings": list(plan.warnings) if plan else [],
        "missing": dict(found.missing),
        "unreachable": unreachable(found.lost),
    }


def group_preview(found: GroupPreview) -> Document:
    return {
        "group": found.group,
        "environment": found.environment,
        "steps": [list(step) for step in found.steps],
        "verified_set": found.verified_set or None,
        "refused": found.refusal or None,
        "warnings": list(found.warnings),
        "services": {name: preview(each) for name, each in found.services.items()},
    }


def arming(done: Arming) -> Document:
    armed = [{"host": host, **asdict(each)} for host, each in done.armed.items()]
    return {
        "environment": done.environment,
        "armed": armed,
        "nothing_live": list(done.bare),
        "not_armed": unreachable(done.lost),
    }


def confirmation(done: Confirmation) -> Document:
    return {
        "environment": done.environment,
        "confirmed": [{"host": host} for host in done.confirmed],
        "not_confirmed": unreachable(done.lost),
    }


def gate(found: Gate) -> Document:
    return {
        "environment": found.environment,
        "revision": found.candidate.revision,
        "release": found.candidate.release,
        "may_be_deployed": not found.objections,
        "objections": [
            asdict(each) | {"since": _moment(each.since), "until": _moment(each.until)} for each in found.objections
        ],
        "unreachable": unreachable(found.lost),
    }


def _moment(at: float) -> str | None:
    return rfc3339(datetime.fromtimestamp(at, UTC)) if at else None


def unreachable(lost: Mapping[str, RollbackOpsError]) -> list[Document]:
    return [{"host": host, "detail": error.message} for host, error in lost.items()]


def verification(found: Verified) -> Document:
    return {
        "environment": found.environment,
        "outcome": found.outcome,
        "hosts": [
            {
                "host": host,
                "outcome": word,
                "release": found.lives.get(host) or None,
                "mark": found.marks.get(host) or None,
                "checks": checks(found.found[host]) if host in found.found else [],
            }
            for host, word in found.outcomes.items()
        ],
    }


def checks(found: Verification) -> list[Document]:
    return [
        {
            "name": check.name,
            "kind": check.kind,
            "outcome": check.finding.verdict,
            "detail": check.finding.detail,
            "seconds": round(check.seconds, 3),
        }
        for check in found.checks
    ]


def seals(done: Sealed) -> Document:
    return {"hosts": [{"host": host, **asdict(seal)} for host, seal in done.seals.items()]}


def marks(done: Marked) -> Document:
    return {
        "release": done.release,
        "mark": done.opinion,
        "hosts": [{"host": host} for host in done.hosts],
        "unreachable": [{"host": host, "detail": error.message} for host, error in done.lost.items()],
    }


def installation(done: Installation) -> Document:
    return {"path": done.path, "hosts": [{"host": host, "outcome": how} for host, how in done.hosts.items()]}


def removal(done: Removal) -> Document:
    return {"path": done.path, "hosts": [{"host": host, "outcome": how} for host, how in done.hosts.items()]}


def history(found: History) -> Document:
    return {"records": [record.model_dump(mode="json", by_alias=True) for record in found.records]}


def traces(found: Sequence[Trace]) -> Document:
    records = [trace.record for trace in found if trace.record]
    lost = {host: error for trace in found for host, error in trace.lost.items()}
    return {
        "record": records[0].model_dump(mode="json", by_alias=True) if records else None,
        "hosts": [asdict(host) for trace in found for host in trace.hosts if host.events],
        "unreachable": [{"host": host, "detail": error.message} for host, error in lost.items()],
    }


def statistics(found: Statistics) -> Document:
    from rollback_ops.core.statistics import CONFIDENCE

    groups = {"by_environment": found.by_environment, "by_trigger": found.by_trigger, "by_month": found.by_month}
    return {
        "total": found.total,
        "succeeded": found.succeeded,
        "success_rate": found.success_rate,
        "at_least": round(found.at_least, 6),
        "at_most": round(found.at_most, 6),
        "confidence": CONFIDENCE,
        "mean_seconds": round(found.duration.mean, 3) if found.duration else 0.0,
        "slowest_seconds": round(found.duration.worst, 3) if found.duration else 0.0,
        "duration": _spread(found.duration),
        "downtime": _spread(found.downtime),
        **({"healthy": _spread(found.healthy)} if found.healthy else {}),
        **({"dora": _dora(found)} if found.failed_deployments or found.change_failures else {}),
        "alert": found.alert,
        "sure": found.sure,
        **{title: {name: statistics(g) for name, g in group.items()} for title, group in groups.items() if group},
        **({"drills": statistics(found.drills)} if found.drills else {}),
    }


def _dora(found: Statistics) -> Document:
    return {
        "failed_deployments": found.failed_deployments,
        "change_fail_rate": _change_fail_rate(found.change_failures),
        "recovery": _spread(found.recovery),
    }


def _change_fail_rate(found: Rate | None) -> Document | None:
    """Return the rate with its exact bounds; None where no deployment is known."""
    if found is None:
        return None
    low, high = found.exact
    return {
        "failed": found.failed,
        "deployments": found.total,
        "rate": round(found.share, 6),
        "low": round(low, 6),
        "high": round(high, 6),
    }


def _spread(found: Spread | None) -> Document | None:
    return {name: round(seconds, 3) for name, seconds in asdict(found).items()} if found else None


def shards(plan: FleetPlan, jobs: Sequence[RegionJobs], file: Path) -> Document:
    """Return the jobs of a workflow: the numbers of the shards of each stage and region."""
    return {
        "plan": str(file),
        "hash": plan.hash,
        "from": plan.origin,
        "to": plan.target,
        "hosts": sum(len(shard.hosts) for shard in plan.shards),
        "regions": [asdict(each) for each in jobs],
        "unreachable": sorted(plan.lost),
    }
