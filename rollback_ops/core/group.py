"""Combines the records of a group's services: where each service is, and how to go on or back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rollback_ops.core.errors import Exit
from rollback_ops.core.outcome import EXIT_CODES, overall
from rollback_ops.core.record import GroupRecord, GroupServiceRecord, HostOutcome, Record, ReleaseRef

# How a host ended that does not stop the group: it was not changed, or it is healthy on its target.
_GOES_ON: tuple[HostOutcome, ...] = ("succeeded", "nothing_to_do", "unreachable")


def failed_hosts(record: Record) -> list[str]:
    """Return the hosts whose failure keeps the other services of the group from being changed."""
    return [f"{record.service} on {host.host}" for host in record.hosts if host.outcome not in _GOES_ON]


def with_services(group: GroupRecord, records: Mapping[str, Record]) -> GroupRecord:
    """Return the result of the group. ``records``: those of its services, by name, in the order of the settings."""
    services = tuple(_service(record) for record in records.values())
    mixed = _is_mixed(services)
    return group.model_copy(
        update={
            "services": services,
            "then": _command(group, records, {each.service: each.to for each in services}) if mixed else "",
            "back": _command(group, records, {each.service: each.from_ for each in services}) if mixed else "",
        }
    )


def group_record(group: GroupRecord, records: Sequence[Record], warnings: Iterable[str] = ()) -> Record:
    """Return the record of a group: all hosts of all services, with the records of the services in it."""
    first = records[0]
    hosts = [host.model_copy(update={"service": each.service}) for each in records for host in each.hosts]
    told = [f"{each.service}: {warning}" for each in records for warning in each.warnings]
    outcome = overall([host.outcome for host in hosts])
    cancelled = next((each.exit_code for each in records if each.outcome == "cancelled"), 0)
    guarded = any(each.exit_code == Exit.VERIFICATION_FAILED and each.outcome == "succeeded" for each in records)
    code = Exit.VERIFICATION_FAILED if guarded and outcome == "succeeded" else EXIT_CODES.get(outcome, Exit.PARTIAL)
    started, finished = min(each.started_at for each in records), max(each.finished_at for each in records)
    return first.model_copy(
        update={
            "id": group.run,
            "service": group.name,
            "started_at": started,
            "finished_at": finished,
            "duration_seconds": max(each.duration_seconds for each in records),
            "outcome": "cancelled" if cancelled else outcome,
            "exit_code": cancelled or code,
            "from_": _shared([each.from_ for each in records]),
            "to": _shared([each.to for each in records]),
            "rejected": (),
            "hosts": tuple(hosts),
            "hold": None,
            "plan": None,
            "strategy": None,
            "waves": (),
            "evidence": tuple(evidence for each in records for evidence in each.evidence),
            "superseded_by": next((each.superseded_by for each in records if each.superseded_by), None),
            "group": group,
            "services": tuple(records),
            "warnings": (*warnings, *told),
        }
    )


def _service(record: Record) -> GroupServiceRecord:
    # A host that was cancelled was not changed.
    begun = any(host.outcome not in ("not_begun", "cancelled") for host in record.hosts)
    outcome = record.outcome if begun else "not_begun"
    return GroupServiceRecord(service=record.service, run=record.id, outcome=outcome, from_=record.from_, to=record.to)


def _is_mixed(services: Collection[GroupServiceRecord]) -> bool:
    """Return whether some services were changed, but not all of them as planned."""
    outcomes = {each.outcome for each in services} - {"nothing_to_do"}
    return bool(outcomes - {"not_begun", "refused", "restored"}) and outcomes != {"succeeded"}


def _command(group: GroupRecord, records: Mapping[str, Record], to: Mapping[str, ReleaseRef]) -> str:
    """Return the command that takes all services to these releases; empty where one of them is unknown."""
    labels = {name: each.label for name, each in to.items()}
    if not all(labels.values()):
        return ""
    environment = next(iter(records.values())).environment
    wanted = ",".join(f"{name}={label}" for name, label in labels.items())
    return f"rollback-ops rollback {environment} --group {group.name} --to {wanted}"


def _shared(references: Sequence[ReleaseRef]) -> ReleaseRef:
    """Return the release that all services have in common, by name; empty where they differ."""
    labels = {each.label for each in references}
    return references[0] if len(labels) == 1 else ReleaseRef()
