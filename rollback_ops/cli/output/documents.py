"""What ``--json`` prints and ``--record`` writes: exactly one JSON document."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Verification
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.record import HostOutcome, Outcome, Record
from rollback_ops.core.redaction import masked
from rollback_ops.core.statistics import Statistics
from rollback_ops.core.text import one_line

Document = dict[str, Any]


def show(document: Mapping[str, Any]) -> None:
    # In any other encoding a character could be missing; an escape never is.
    text = json.dumps(masked(document), ensure_ascii=sys.stdout.encoding.lower() != "utf-8", indent=2)
    # In a workflow ##[ would begin a command, wherever it stands. Only texts have it, and this says the same in them.
    sys.stdout.write(text.replace("##[", "#\\u0023[") + "\n")


def write(path: Path, record: Record) -> str:
    """Write the record to a file, whole or not at all. Why it could not be, or nothing."""
    if path.exists() and not path.is_file():
        # To take the place of a device (/dev/stdout, /dev/null) would be its end.
        return f"the record could not be written to {one_line(str(path))}: it is not a file"
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(record.model_dump_json(by_alias=True, indent=2) + "\n")
        os.replace(file.name, path)
    except OSError as error:
        return f"the record could not be written to {one_line(str(path))}: {error.strerror}"
    return ""


def releases(
    environment: str,
    surveys: Mapping[str, Survey],
    found: Plan | NothingToDo | Refusal,
    lost: Mapping[str, RollbackOpsError],
) -> Document:
    rejected = [] if isinstance(found, NothingToDo) else [asdict(r) for r in found.rejected]
    return {
        "environment": environment,
        "target": found.target if isinstance(found, Plan) else None,
        "why_none": None if isinstance(found, Plan) else found.why,
        "rejected": rejected,
        "hosts": [_survey(survey) for survey in surveys.values()],
        "unreachable": [{"host": host, "detail": error.message} for host, error in lost.items()],
    }


def _survey(survey: Survey) -> Document:
    keys = ("host", "live", "releases", "units", "lease", "unfinished", "blockers", "warnings")
    whole = asdict(survey)
    return {key: whole[key] for key in keys}


def verification(
    environment: str, outcome: Outcome, outcomes: Mapping[str, HostOutcome], found: Mapping[str, Verification]
) -> Document:
    return {
        "environment": environment,
        "outcome": outcome,
        "hosts": [
            {"host": host, "outcome": word, "checks": _checks(found[host]) if host in found else []}
            for host, word in outcomes.items()
        ],
    }


def _checks(found: Verification) -> list[Document]:
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


def statistics(found: Statistics) -> Document:
    groups = {"by_environment": found.by_environment, "by_trigger": found.by_trigger}
    return {
        "total": found.total,
        "succeeded": found.succeeded,
        "success_rate": found.success_rate,
        "mean_seconds": round(found.mean_seconds, 3),
        "slowest_seconds": round(found.slowest_seconds, 3),
        "alert": found.alert,
        **{title: {name: statistics(g) for name, g in group.items()} for title, group in groups.items() if group},
    }
