"""Guard of a group: watch all services, and roll the whole group back when one of them is unhealthy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rollback_ops.core.errors import Cancelled
from rollback_ops.core.frozen import frozen
from rollback_ops.core.group import group_record
from rollback_ops.core.plan import NothingToDo, Refusal
from rollback_ops.core.ports import Announcer, Progress
from rollback_ops.core.record import GroupRecord, Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.run import RunState
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.verified_set import Version
from rollback_ops.core.versions import Versions
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.group import GroupRollback, note_set
from rollback_ops.engine.group_choice import GroupSpec
from rollback_ops.engine.guard import Decision, GuardVerdict, accused, judge
from rollback_ops.engine.spec import RollbackSpec

_UNTIL_THEY_END = float("inf")


@frozen
class GuardedService:
    """One service for a guard. ``anew`` makes its fleet for a rollback, under a new deadline."""

    spec: RollbackSpec
    fleet: Fleet
    anew: Callable[[], Fleet]
    max_per_day: int


def guard_group(
    group: GroupSpec,
    services: Mapping[str, GuardedService],
    announcer: Announcer,
    progress: Progress,
    cancellation: Cancellation,
) -> tuple[Record, Decision]:
    """Watch the live releases of all services at the same time.

    Where all are healthy, note them as a set that was verified together. Where one is to be rolled back, the whole
    group is. Unknown health neither passes nor causes a rollback.
    """
    states = {n: RunState(s.spec.info, s.fleet.names, s.spec.redact, s.spec.started_at) for n, s in services.items()}
    work = lambda n: judge(services[n].spec, services[n].fleet, states[n], services[n].max_per_day)  # noqa: E731
    warnings: list[str] = []
    decision: Decision = "unknown"
    try:
        results = each(services, work, _UNTIL_THEY_END, cancellation)
        found = {name: one for name, one in results.items() if isinstance(one, GuardVerdict)}
        failed = {name: one for name, one in found.items() if one.trigger}
        if failed:
            record = _roll_back(group, services, states, failed, announcer, progress, cancellation)
            return record, "rolled_back" if record.rolled_back else "left_alone"
        decision = _together(states, found)
        if decision == "healthy" and not any(state.info.dry_run for state in states.values()):
            warnings += _note_live(group, services, states)
    except Cancelled as cancelled:
        for state in states.values():
            state.cancelled = cancelled.exit_code
    records = [record_of(state) for state in states.values()]
    return group_record(GroupRecord(name=group.name, run=group.run), records, warnings), decision


def _roll_back(
    group: GroupSpec,
    services: Mapping[str, GuardedService],
    states: Mapping[str, RunState],
    failed: Mapping[str, GuardVerdict],
    announcer: Announcer,
    progress: Progress,
    cancellation: Cancellation,
) -> Record:
    """Roll the whole group back: only where each service still runs what was watched.

    Nothing speaks against the releases of services that are healthy.
    """
    specs = {name: accused(services[name].spec, states[name], found) for name, found in failed.items()}
    first = next(iter(specs.values()))
    for name, service in services.items():
        selection = service.spec.selection.anew(_watched(states[name]), automatic=True)
        info = replace(first.info, id=service.spec.info.id, service=service.spec.info.service)
        specs.setdefault(name, replace(service.spec, info=info, selection=selection, evidence=states[name].evidence))
    parts = {name: (specs[name], service.anew()) for name, service in services.items()}
    blamed = replace(group, accused=frozenset(failed))
    return GroupRollback(blamed, parts, announcer, progress, cancellation).roll_back()


def _watched(state: RunState) -> str:
    """Return the release that was watched, as a label; empty where hosts run different ones, or none."""
    versions = Versions(list(state.surveys.values()))
    lives = {versions.label(name, survey.live.name) for name, survey in state.surveys.items()}
    return lives.pop() if len(lives) == 1 else ""


def _together(states: Mapping[str, RunState], found: Mapping[str, GuardVerdict]) -> Decision:
    """Return the decision for all services. Where one is not healthy, the healthy ones are left alone, too."""
    decisions = {judgement.decision for judgement in found.values()}
    if decisions == {"healthy"}:
        return "healthy"
    for name, state in states.items():
        if isinstance(state.decision, NothingToDo):
            state.decision = Refusal(f"{name} is healthy, and another service is not, or is not known to be")
    return "left_alone" if "left_alone" in decisions else "unknown"


def _note_live(group: GroupSpec, services: Mapping[str, GuardedService], states: Mapping[str, RunState]) -> list[str]:
    """Note the live releases as a set. Where the hosts of a service run different ones, they are none."""
    versions: dict[str, Version] = {}
    for name, state in states.items():
        surveys = list(state.surveys.values())
        lives = {survey.live.name for survey in Versions(surveys).labelled()}
        release = surveys[0].release(surveys[0].live.name)
        if len(lives) > 1 or release is None or len(surveys) < len(state.host_names):
            return [f"{name}: its hosts do not run one release, so nothing was noted as verified together"]
        versions[name] = Version(release.name, release.revision)
    return note_set(group, versions, {name: (s.fleet, s.fleet.names) for name, s in services.items()})
