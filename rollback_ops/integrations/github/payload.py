"""What a deployment says: the core of the record in a payload that lasts, and a few words in what does not. Pure.

GitHub deletes the statuses of a deployment after 90 days, and lets nobody change a payload: the outcome is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rollback_ops.core.record import HostRecord, Outcome, Record
from rollback_ops.core.redaction import masked
from rollback_ops.core.text import one_line, short

TASK = "rollback"
STATES: dict[Outcome, str] = {
    "succeeded": "success",
    "verification_failed": "failure",
    "failed": "failure",
    "partial": "failure",
    "restored": "failure",
    "cancelled": "error",
}
# GitHub's limit for both descriptions, in characters.
LONGEST_DESCRIPTION = 140
# Bytes. GitHub names no limit; this is well below what a column of text holds.
_LONGEST = 30_000
_LONGEST_TEXT = 200
_LONGEST_REASON = 1_000
_MOST_WARNINGS = 10
_CHANGED = ("succeeded", "verification_failed", "restored", "failed", "unknown")


def changed_something(record: Record) -> bool:
    """Whether a host was changed, or may have been. A journal that has only the beginning of a run names no host."""
    if record.dry_run or record.outcome not in STATES:
        return False
    return any(host.outcome in _CHANGED for host in record.hosts) or not record.hosts


def key(record: Record) -> str:
    """What tells one rollback of one run from all others: for it there is one deployment, however often it is asked."""
    run = re.search(r"/actions/runs/(\d+)(?:/attempts/(\d+))?", record.run_url or "")
    return f"{run[1]}/{run[2] or 1}/{record.service}/{record.environment}" if run else record.id


def refs(record: Record, sha: str) -> Iterator[tuple[str, str]]:
    """What a deployment can be of, and what that is: the restored release's revision, else the workflow's commit."""
    if record.to.revision:
        yield record.to.revision, "release"
    if sha:
        yield sha, "workflow"


def deployment(record: Record, ref: str, ref_is: str, secrets: Iterable[str]) -> dict[str, Any]:
    """The request for a deployment. Nothing is merged for it, and it waits for no check: the release ran before."""
    way = f"{record.from_.release or 'nothing'} → {record.to.release or 'unknown'}"
    return {
        "ref": ref,
        "task": TASK,
        "auto_merge": False,
        "required_contexts": [],
        "environment": record.environment,
        "description": _described(f"Rollback of {record.service}: {way}: {record.reason}", secrets),
        "payload": {**core(record, secrets), "key": key(record), "ref_is": ref_is},
    }


def status(record: Record, state: str, environment_url: str, secrets: Iterable[str]) -> dict[str, Any]:
    """The request for a status. What else is deployed there is left as it is: only we know what was abandoned."""
    what = f"{record.outcome.replace('_', ' ')} in {record.duration_seconds:.1f} s: {record.to.release or 'unknown'}"
    words = what if state in STATES.values() else f"to {record.to.release or 'unknown'}: {record.reason}"
    addresses = {"log_url": record.run_url, "target_url": record.run_url, "environment_url": environment_url}
    return {
        "state": state,
        "description": _described(words, secrets),
        "auto_inactive": False,
        **{name: address for name, address in addresses.items() if address},
    }


def abandoned(record: Record) -> dict[str, Any]:
    """The request for the status of the deployment whose release was left."""
    return {"state": "inactive", "description": _described(f"rolled back to {record.to.release}", ())}


def core(record: Record, secrets: Iterable[str]) -> dict[str, Any]:
    """The record without what is long: it can be read back as a record."""
    outline = [HostRecord(**_kept(host)) for host in record.hosts]
    warnings = tuple(short(warning, _LONGEST_TEXT) for warning in record.warnings[:_MOST_WARNINGS])
    reason = short(record.reason, _LONGEST_REASON)
    kept = {"reason": reason, "hosts": tuple(outline), "rejected": (), "warnings": warnings}
    plain = record.model_copy(update=kept)
    document = _document(plain, secrets)
    if len(json.dumps(document)) > _LONGEST:
        said = f"the deployment leaves out the {len(outline)} hosts: they are too many"
        document = _document(plain.model_copy(update={"hosts": (), "warnings": (*warnings, said)}), secrets)
    return document


def _kept(host: HostRecord) -> Mapping[str, Any]:
    return {
        "host": host.host,
        "outcome": host.outcome,
        "from": host.from_,
        "to": host.to,
        "downtime_seconds": host.downtime_seconds,
        "detail": short(host.detail, _LONGEST_TEXT),
    }


def _document(record: Record, secrets: Iterable[str]) -> dict[str, Any]:
    document: dict[str, Any] = masked(record.model_dump(mode="json", by_alias=True, exclude={"deployment"}), secrets)
    return document


def _described(text: str, secrets: Iterable[str]) -> str:
    described: str = masked(one_line(text), secrets)
    return short(described, LONGEST_DESCRIPTION)
