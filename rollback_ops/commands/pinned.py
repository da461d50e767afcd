"""The shard of a plan that a ``rollback`` is limited to (``--plan FILE --shard K``), and why it may not begin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import Job
from rollback_ops.core.errors import Exit, Refused, UsageError
from rollback_ops.core.fleet_plan import FleetPlan, PinnedShard, Shard, read_fleet_plan
from rollback_ops.core.frozen import frozen
from rollback_ops.core.merging import records_by_shard
from rollback_ops.core.reading import read_record
from rollback_ops.core.record import Record
from rollback_ops.core.rollout import named
from rollback_ops.core.shard_order import LOOK_AT_IT, done, latest, left, stopped
from rollback_ops.core.text import one_line, quoted

# Seconds. An older survey is no basis for changing hosts. The clocks of runners differ a little.
_OLDEST = 3600.0
_AHEAD = 300.0
_MOST_BYTES = 64 * 1024 * 1024
ANEW = "Make a new plan with `rollback-ops shards`: hosts that are done are left alone."


@frozen
class Pinned:
    """The shard, the request with what the plan says of it, and why nothing may be changed (None: it may).

    ``records`` are those of all shards so far, by number.
    """

    order: PinnedShard
    request: Request
    records: Mapping[int, Record]
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
    records = records_by_shard(plan, read_records(request.records)[0])
    why = _outdated(plan, records.values(), settings, now) or _late(plan, now) or stopped(plan, shard, records)
    if shard.stage == "bake":
        shard = replace(shard, done=done(plan, shard, records))
        why = why or ("" if shard.done else "no host of the regions before is done")
    again = f"rollback-ops rollback {plan.environment} --plan {file} --shard {shard.number}"
    again += "".join(f" --records {one_line(str(place))}" for place in request.records)
    order = PinnedShard(_within(shard, left(plan, shard, records)), plan, again)
    return Pinned(order, _as_planned(request, plan), records, Refused(why, _hint(why, plan, file)) if why else None)


def _hint(why: str, plan: FleetPlan, file: str) -> str:
    go_on = f"rollback-ops shards {plan.environment} --plan {file} --records DIR"
    return f"Then run `{go_on}`: it goes on with the plan." if why == LOOK_AT_IT else ANEW


def judged(pinned: Pinned, record: Record) -> Record:
    """Return the record of a bake with the exit code that says whether the next region may begin."""
    plan, shard = pinned.order.fleet, pinned.shard
    if shard.stage != "bake" or record.dry_run:
        return record
    region = plan.place(shard)[0] + 1
    following = next(each for each in plan.shards if plan.place(each)[0] == region)
    if why := stopped(plan, following, {**pinned.records, shard.number: record}):
        told = (*record.warnings, f"region {following.region} may not begin: {why}")
        return record.model_copy(update={"exit_code": record.exit_code or Exit.REFUSED, "warnings": told})
    return record.model_copy(update={"exit_code": Exit.OK})


def pin_all(request: Request, job: Job, settings: Settings) -> Pinned:
    """Read a plan that is gone on with, as one shard of all its hosts, of which none is changed. Contacts no host.

    Raises as ``pin``. A plan that is gone on with may be of any age: its hosts are asked again.
    """
    if request.plan is None:
        raise UsageError("--records needs --plan", "Name the file of the plan that is gone on with.")
    plan, file = read_plan_file(request.plan), one_line(str(request.plan))
    _fits(plan, request, job, file)
    sources = {host: source for shard in plan.shards for host, source in shard.sources.items()}
    there = tuple(host for shard in plan.shards for host in shard.done)
    whole = Shard(0, "bake", sources, replace(plan.rollout, bake=0.0, on_exceeded="stop"), there)
    records = records_by_shard(plan, read_records(request.records)[0])
    why = _unlike(plan, settings)
    return Pinned(PinnedShard(whole, plan), _as_planned(request, plan), records, Refused(why, ANEW) if why else None)


def _as_planned(request: Request, plan: FleetPlan) -> Request:
    return replace(request, reason=plan.reason, trigger=plan.trigger, bad=plan.bad, resume=False)


def _within(shard: Shard, budgets: tuple[int, int]) -> Shard:
    """Return the shard with a budget that is no more than what is left of the region's, and of that of all regions."""
    if shard.stage == "bake":
        return shard
    rollout, (share,) = shard.rollout, shard.rollout.shares
    least = min(share.max_failures, *budgets)
    return replace(shard, rollout=replace(rollout, max_failures=least, shares=(replace(share, max_failures=least),)))


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
        raise Refused(f"{shown} {error}", ANEW) from None


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


def read_skipped(places: Sequence[Path]) -> list[str]:
    """Return the stages whose jobs were not started, from all files ``skipped`` below directories."""
    files = (file for place in places if place.is_dir() for file in sorted(place.rglob("skipped")) if file.is_file())
    return [word for file in files for word in file.read_text(encoding="utf-8", errors="replace").split()]


def _fits(plan: FleetPlan, request: Request, job: Job, file: str) -> None:
    """Raise ``UsageError`` where the command and the plan name different services, environments or targets."""
    for what, ours, its in (
        ("environment", job.environment_name, plan.environment),
        ("service", job.service_name, plan.service),
    ):
        if ours != its:
            raise UsageError(f"{file} is a plan for the {what} {quoted(its)}, and not for {quoted(ours)}", ANEW)
    if request.backup and request.backup != plan.target:
        raise UsageError(f"{file} goes to {plan.target}, and --to names {quoted(request.backup)}", ANEW)
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


def _outdated(plan: FleetPlan, records: Iterable[Record], settings: Settings, now: datetime) -> str:
    """Return why the plan is no longer valid; empty when it is.

    Its age counts from the last time that its hosts were seen: when it was made or gone on with, or a shard ended.
    """
    if why := _unlike(plan, settings):
        return why
    try:
        age = (now - latest(plan, records)).total_seconds()
    except ValueError:
        return f"the plan {plan.id} has no time"
    if not -_AHEAD <= age <= _OLDEST:
        return f"the plan {plan.id} was made at {plan.at}, and none of its hosts was looked at within the last hour"
    return ""


def _late(plan: FleetPlan, now: datetime) -> str:
    """Return why the deadline of the whole has passed, from when the plan was made or gone on with; empty before."""
    limit = plan.rollout.deadline
    since = datetime.fromisoformat(plan.confirmed.at if plan.confirmed else plan.at)
    is_late = limit is not None and (now - since).total_seconds() >= limit
    return f"the whole took longer than its deadline ({limit:g} s)" if is_late else ""


def _unlike(plan: FleetPlan, settings: Settings) -> str:
    if plan.settings != settings_hash(settings, plan.service, plan.environment):
        return f"the settings are not those with which the plan {plan.id} was made"
    # The hash in a plan protects against accidents, and not against a forged plan.
    ours = settings.environments[plan.environment].hosts_of(plan.service)
    if strange := {host for shard in plan.shards for host in shard.hosts}.difference(ours):
        return f"the plan {plan.id} has hosts that the settings do not have: {named(sorted(strange))}"
    return ""
