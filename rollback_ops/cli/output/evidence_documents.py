"""The documents of ``--json`` for advice, rehearsals and outlooks. Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollback_ops.cli.output.documents import Document, checks, unreachable
from rollback_ops.core.plan import Plan
from rollback_ops.core.run import rfc3339

if TYPE_CHECKING:
    from rollback_ops.commands.advise import Advised
    from rollback_ops.commands.outlook import LookedAhead
    from rollback_ops.commands.rehearse import Rehearsed
    from rollback_ops.core.deployments import Rate


def advice(found: Advised) -> Document:
    decision = found.decision
    return {
        "environment": found.environment,
        "service": found.service,
        "live": found.live or None,
        "decision": found.advice.decision,
        "command": found.command or None,
        "rules": [
            {"name": r.name, "row": r.row, "says": r.says, "holds": r.holds, "because": list(r.because)}
            for r in found.advice.rules
        ],
        "cautions": list(found.advice.cautions),
        "target": decision.target if isinstance(decision, Plan) else None,
        "why_none": None if isinstance(decision, Plan) else decision.why,
        "hosts": [{"host": host, "health": each.verdict, "checks": checks(each)} for host, each in found.found.items()],
        "evidence": [each.model_dump(mode="json") for each in found.evidence],
        "logs": [asdict(each) for each in found.logs],
        "commits": asdict(found.commits),
        "unreachable": unreachable(found.lost),
        **({"suggestion": found.suggestion.model_dump(mode="json")} if found.suggestion else {}),
        **({"no_suggestion": found.no_suggestion} if found.no_suggestion else {}),
    }


def rehearsal(found: Rehearsed) -> Document:
    done = found.rehearsal
    return {
        "environment": found.environment,
        "seconds": done.seconds,
        "alpha": done.alpha,
        "trials": done.trials,
        "rolled_back": done.rolled_back,
        "at_most": round(done.at_most, 6) if done.trials else None,
        "exceeds_alpha": done.exceeds,
        "moments": [
            {
                "at": rfc3339(datetime.fromtimestamp(moment.at, UTC)),
                "counted": moment.counted,
                "metrics": {
                    name: {"verdict": each.verdict, "e_worse": float(f"{each.e_worse:.4g}"), "needed": each.needed}
                    for name, each in moment.judged.items()
                },
            }
            for moment in done.moments
        ],
        "deployments": done.deployments,
        "skipped": dict(done.skipped),
        "gaps": list(done.gaps),
        "unreachable": unreachable(found.lost),
    }


def outlook(found: LookedAhead) -> Document:
    seen = found.outlook
    return {
        "environment": found.environment,
        "revision": found.revision or None,
        "readiness": [asdict(each) for each in found.readiness],
        "source": found.source,
        "base_rate": _rate(seen.base) if seen.base else None,
        "classes": [_rate(each) for each in seen.classes],
        "chance_of_failure": round(seen.chance, 4) if seen.chance is not None else None,
        "report_card": {"predictions": seen.card.predictions, "skill": round(seen.card.skill, 4)}
        if seen.card
        else None,
        "why_no_number": seen.why_none or None,
        "missing": list(found.missing),
        "unreachable": unreachable(found.lost),
    }


def _rate(rate: Rate) -> Document:
    low, high = rate.interval
    return {
        "name": rate.name,
        "failed": rate.failed,
        "total": rate.total,
        "low": round(low, 6),
        "high": round(high, 6),
        "confidence": 0.95,
    }
