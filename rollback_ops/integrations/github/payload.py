"""Build the requests for deployments and their statuses. Pure.

GitHub deletes the statuses of a deployment after 90 days and never changes a payload. So the payload holds the core of
the record, outcome included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rollback_ops.core.record import HostRecord, Outcome, Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.text import one_line, short

TASK = "rollback"
STATES: dict[Outcome, str] = {
    "succeeded": "success",
    "verification_failed": "failure",
    "health_unknown": "failure",
    "failed": "failure",
    "partial": "failure",
    "restored": "failure",
    "superseded": "failure",
    "cancelled": "error",
}
# GitHub's limit for both descriptions, in characters.
LONGEST_DESCRIPTION = 140
# Bytes. GitHub names no limit; this is well below what a column of text holds.
_LONGEST = 30_000
_LONGEST_TEXT = 200
_LONGEST_REASON = 1_000
_MOST_WARNINGS = 10
_CHANGED = ("succeeded", "verification_failed", "health_unknown", "restored", "failed", "unknown")


def changed_something(record: Record) -> bool:
    """Return whether a host was changed, or may have been. The journal of a run that was killed may name no host."""
    if record.dry_run or record.outcome not in STATES:
        return False
    return any(map(_was_changed, record.hosts)) or not record.hosts


def _was_changed(host: HostRecord) -> bool:
    # A guard that only watched can be superseded, too.
    return host.outcome in _CHANGED or (host.outcome == "superseded" and host.downtime_seconds is not None)


def refs(record: Record, sha: str) -> Iterator[tuple[str, str]]:
    """Yield the possible refs of a deployment: the restored release's revision, then the workflow's commit."""
    if record.to.revision:
        yield record.to.revision, "release"
    if sha:
        yield sha, "workflow"


def deployment(record: Record, ref: str, ref_is: str, redact: Redactor) -> dict[str, Any]:
    """Build the request for a deployment. It merges nothing and requires no status check: the release ran before."""
    way = f"{record.from_.label or 'nothing'} → {record.to.label or 'unknown'}"
    return {
        "ref": ref,
        "task": TASK,
        "auto_merge": False,
        "required_contexts": [],
        "environment": record.environment,
        "description": _description(f"Rollback of {record.service}: {way}: {record.reason}", redact),
        "payload": {**core(record, redact), "ref_is": ref_is},
    }


def status(record: Record, state: str, environment_url: str, redact: Redactor) -> dict[str, Any]:
    """Build the request for a status. GitHub marks no other deployment inactive: ``inactive_status`` does that."""
    what = f"{record.outcome.replace('_', ' ')} in {record.duration_seconds:.1f} s: {record.to.label or 'unknown'}"
    words = what if state in STATES.values() else f"to {record.to.label or 'unknown'}: {record.reason}"
    addresses = {"log_url": record.run_url, "target_url": record.run_url, "environment_url": environment_url}
    return {
        "state": state,
        "description": _description(words, redact),
        "auto_inactive": False,
        **{name: address for name, address in addresses.items() if address},
    }


def inactive_status(record: Record, redact: Redactor) -> dict[str, Any]:
    """Build the request for the status of the deployment whose release was left."""
    return {"state": "inactive", "description": _description(f"rolled back to {record.to.label}", redact)}


def core(record: Record, redact: Redactor) -> dict[str, Any]:
    """Shorten the record to what a payload can hold. It can be read back as a record."""
    hosts = tuple(HostRecord(**_kept(host)) for host in record.hosts)
    warnings = tuple(short(warning, _LONGEST_TEXT) for warning in record.warnings[:_MOST_WARNINGS])
    reason = short(record.reason, _LONGEST_REASON)
    outline = record.model_copy(update={"reason": reason, "hosts": hosts, "rejected": (), "warnings": warnings})
    document = _document(outline, redact)
    if len(json.dumps(document)) > _LONGEST:
        warning = f"the deployment leaves out its {len(hosts)} hosts: they are too many"
        fewer = outline.without_names_in_waves()
        document = _document(fewer.model_copy(update={"hosts": (), "warnings": (*warnings, warning)}), redact)
    return document


def _kept(host: HostRecord) -> Mapping[str, Any]:
    return {
        "host": host.host,
        "outcome": host.outcome,
        "from": host.from_,
        "to": host.to,
        "downtime_seconds": host.downtime_seconds,
        "detail": short(host.detail, _LONGEST_TEXT),
        "region": host.region,
    }


def _document(record: Record, redact: Redactor) -> dict[str, Any]:
    document: dict[str, Any] = redact.document(record.model_dump(mode="json", by_alias=True, exclude={"deployment"}))
    return document


def _description(text: str, redact: Redactor) -> str:
    return short(redact(one_line(text)), LONGEST_DESCRIPTION)
