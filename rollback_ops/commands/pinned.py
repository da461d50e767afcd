"""The shard of a plan that a ``rollback`` is limited to (``--plan FILE --shard K``), and why it may not begin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import Job
from rollback_ops.core.errors import Refused, UsageError
from rollback_ops.core.fleet_plan import FleetPlan, PinnedShard, Shard, read_fleet_plan
from rollback_ops.core.frozen import frozen
from rollback_ops.core.merging import records_by_shard, stopped
from rollback_ops.core.reading import read_record
from rollback_ops.core.record import Record
from rollback_ops.core.text import one_line, quoted

# Seconds. An older survey is no basis for changing hosts. The clocks of runners differ a little.
_OLDEST = 3600.0
_AHEAD = 300.0
_MOST_BYTES = 64 * 1024 * 1024
_ANEW = "Make a new plan with `rollback-ops shards`: hosts that are done are left alone."


@frozen
class Pinned:
    """The shard, the request with what the plan says of it, and why nothing may be changed (None: it may)."""

    order: PinnedShard
    request: Request
    refusal: Refused | None = None

    @property
    def shard(self) -> Shard:
        return self.order.shard


def pin(request: Request, job: Job, settings: Settings, now: datetime) -> Pinned:
    """Read the shard that a request names. Contacts no host.

    Raises ``UsageError`` where the request does not fit the plan, and ``Refused`` for a file without a whole plan.
    """
    if request.plan is None or not request.shard:
        raise UsageError("--plan and --shard belong together", "Name the file of the plan and the number of the shard.")
    plan, file = read_plan_file(request.plan), one_line(str(request.plan))
    _fits(plan, request, job, file)
    shard = next((each for each in plan.shards if each.number == request.shard), None)
    if shard is None:
        raise UsageError(f"{file} has no shard {request.shard}: it has {len(plan.shards)}")
    why = _outdated(plan, settings, now) or (request.records and stopped(plan, shard, _so_far(plan, request)))
    again = f"rollback-ops rollback {plan.environment} --plan {file} --shard {shard.number}"
    said = replace(request, reason=plan.reason, trigger=plan.trigger, bad=plan.bad, resume=False)
    return Pinned(PinnedShard(shard, plan, again), said, Refused(why, _ANEW) if why else None)


def _so_far(plan: FleetPlan, request: Request) -> dict[int, Record]:
    return records_by_shard(plan, read_records(request.records)[0])


def settings_hash(settings: Settings, service: str, environment: str) -> str:
    """Return a hash of all settings of a service in an environment."""
    parts = (settings.services[service], settings.environments[environment])
    said = [part.model_dump(warnings=False) for part in parts]
    return hashlib.sha256(json.dumps(said, default=str, sort_keys=True).encode()).hexdigest()


def read_plan_file(file: Path) -> FleetPlan:
    """Read a plan. Raises ``UsageError`` when the file cannot be read, ``Refused`` when it is no whole plan."""
    shown = one_line(str(file))
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}", "`rollback-ops shards` writes it.") from None
    try:
        return read_fleet_plan(text)
    except ValueError as error:
        raise Refused(f"{shown} {error}", _ANEW) from None


def read_records(places: Sequence[Path]) -> tuple[list[Record], list[str]]:
    """Read records from files, and from all ``.json`` files below directories.

    Also returns the names of files without a record: an artifact may be cut short.
    """
    records, unreadable = [], []
    for file in (file for place in places for file in (sorted(place.rglob("*.json")) if place.is_dir() else [place])):
        try:
            records.append(read_record(file.read_bytes()))
        except (OSError, ValueError):
            unreadable.append(one_line(str(file)))
    return records, unreadable


def _fits(plan: FleetPlan, request: Request, job: Job, file: str) -> None:
    """Raise ``UsageError`` where the command and the plan name different services, environments or targets."""
    for what, ours, its in (
        ("environment", job.environment_name, plan.environment),
        ("service", job.service_name, plan.service),
    ):
        if ours != its:
            raise UsageError(f"{file} is a plan for the {what} {quoted(its)}, and not for {quoted(ours)}", _ANEW)
    if request.backup and request.backup != plan.target:
        raise UsageError(f"{file} goes to {plan.target}, and --to names {quoted(request.backup)}", _ANEW)
    others = {
        "--emergency": request.emergency,
        "--if-current": request.if_current,
        "--host": request.hosts,
        "--region": request.regions,
        "--exclude-region": request.exclude_regions,
        "--local": request.local,
        "--approved": request.approved,
    }
    if given := [name for name, value in others.items() if value]:
        raise UsageError(
            f"{' and '.join(given)} cannot be combined with --plan", "The plan has the hosts and their target."
        )


def _outdated(plan: FleetPlan, settings: Settings, now: datetime) -> str:
    """Return why the plan is no longer valid; empty when it is."""
    if plan.settings != settings_hash(settings, plan.service, plan.environment):
        return f"the settings are not those with which the plan {plan.id} was made"
    try:
        age = (now - datetime.fromisoformat(plan.at).astimezone(UTC)).total_seconds()
    except ValueError:
        return f"the plan {plan.id} has no time"
    if not -_AHEAD <= age <= _OLDEST:
        return f"the plan {plan.id} was made at {plan.at}, which is not within the last hour"
    return ""
