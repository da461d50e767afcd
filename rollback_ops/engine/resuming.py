"""Goes on with a stopped rollback in waves: finds the plan that its hosts have stored, or refuses."""

from __future__ import annotations

from dataclasses import replace

from rollback_ops.core.journal import read_journal
from rollback_ops.core.plan import Refusal
from rollback_ops.core.rollout import named
from rollback_ops.core.run import RunState
from rollback_ops.core.stored_plan import StoredPlan
from rollback_ops.core.unfinished import moved, open_plan
from rollback_ops.core.versions import Versions
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec


def take_up(spec: RollbackSpec, fleet: Fleet, state: RunState) -> RollbackSpec:
    """Find the stored plan for a ``resume``, or take that of a shard. Returns the spec of a rollback to its target."""
    if spec.pinned:
        state.pinned, state.stored, state.plan = spec.pinned, spec.pinned.plan, spec.pinned.fleet.ref
        state.resumes, state.earlier = True, _left_by(state, state.stored)
        fleet.progress.phase("shard", f"{spec.pinned.shard.number} of {len(spec.pinned.fleet.shards)}")
        there = replace(spec.selection, backup=state.stored.target, again=True, automatic=False)
        return replace(spec, selection=there)
    if not spec.selection.resume:
        return spec
    return take_up_waves(spec, fleet, state) or _forward(spec, fleet, state)


def take_up_waves(spec: RollbackSpec, fleet: Fleet, state: RunState) -> RollbackSpec | None:
    """Find the stored plan of a rollback in waves. Returns the spec of a rollback to its target, where there is one.

    Hosts that are done go back to what they left then, if this run puts hosts back.
    """
    state.stored = _open(fleet, state)
    if state.stored is None:
        return None
    state.resumes, state.earlier = True, _left_by(state, state.stored)
    fleet.progress.phase("resume", f"the rollback {state.stored.id} to {state.stored.target}")
    return replace(spec, selection=replace(spec.selection, resume=False, backup=state.stored.target))


def _left_by(state: RunState, plan: StoredPlan) -> dict[str, str]:
    """Return, by host, the release that was left for the target of a stored plan."""
    there = {n for n, survey in state.surveys.items() if survey.origin == plan.targets.get(n, plan.target)}
    return {name: source for name, source in plan.sources.items() if name in there}


def _forward(spec: RollbackSpec, fleet: Fleet, state: RunState) -> RollbackSpec:
    """Return the spec of the way forward of a drill that was interrupted; the spec itself where there is none."""
    versions = Versions(list(state.surveys.values()))
    found = {versions.label(n, each.open_drill.start) for n, each in state.surveys.items() if each.open_drill}
    if len(found) != 1:
        return spec
    (start,) = found
    fleet.progress.phase("resume", f"the drill that started from {start}")
    state.info = replace(spec.info, trigger="drill")
    selection = replace(spec.selection, resume=False, backup=start)
    return replace(spec, info=state.info, selection=selection, strategy=None)


def overridden(fleet: Fleet, state: RunState) -> str:
    """Return a warning that this rollback overrides a stored one; empty without one, or where hosts run one release."""
    lives = {survey.origin for survey in state.surveys.values()}
    if state.resumes or len(lives) < 2 or (plan := _open(fleet, state)) is None:
        return ""
    done = [name for name, survey in state.surveys.items() if survey.live.name == plan.target]
    return (
        f"this rollback overrides the rollback {plan.id} to {plan.target}, which is not finished "
        f"({len(done)} of {len(plan.hosts)} hosts are done): `resume` would have finished it"
    )


def without_plan(fleet: Fleet, state: RunState) -> Refusal | None:
    """Return why a stopped rollback cannot be resumed: no host has its plan. None where none has stopped."""
    records, _ = read_journal(_lines(fleet, state), state.info.about)
    last = records[0] if records else None
    if last is None or not (last.strategy and last.strategy.then):
        return None
    lives = {name: survey.origin for name, survey in state.surveys.items()}
    left = [h.host for h in last.hosts if h.outcome == "not_begun" and lives.get(h.host) == h.from_.release]
    if not left:
        return None
    anew = f"rollback-ops rollback {state.info.environment} --to {last.to.label}"
    hint = f"Run `{anew}`: hosts that are done are left alone."
    return Refusal(f"the rollback {last.id} did not reach {named(left)}, and no host has stored its plan", hint)


def _open(fleet: Fleet, state: RunState) -> StoredPlan | None:
    lives = {name: survey.origin for name, survey in state.surveys.items()}
    return open_plan(_lines(fleet, state), state.info.about, lives)


def _lines(fleet: Fleet, state: RunState) -> list[str]:
    return [line for found in fleet.journals(state.surveys).values() for line in found]


def objection(state: RunState) -> Refusal | None:
    """Return why the stored plan cannot be resumed: its hosts or its target have changed since; else None."""
    plan = state.stored
    if plan is None or not state.resumes:
        return None
    names = set(state.host_names)
    command = "shards" if state.pinned else "rollback"
    anew = f"Start anew with `rollback-ops {command} {state.info.environment}`: hosts that are done are left alone."
    if missing := sorted(plan.hosts - names):
        hint = f"Name the hosts and regions that the rollback was begun with. {anew}"
        return Refusal(f"the rollback {plan.id} has hosts that this command leaves out: {named(missing)}", hint)
    if new := sorted(names - plan.hosts - set(state.lost)):
        hint = f"Leave them out (--host, --exclude-region). {anew}"
        return Refusal(f"hosts are new since the rollback {plan.id} was planned: {named(new)}", hint)
    changed = {name: why for name in sorted(state.surveys) if (why := _moved(state, plan, name))}
    if changed:
        return Refusal(f"the rollback {plan.id} cannot be resumed: {named(changed)} changed since", anew, hosts=changed)
    return None


def _moved(state: RunState, plan: StoredPlan, name: str) -> str:
    """Return what has changed on a host since the plan was made; empty when nothing has."""
    target = plan.targets.get(name, plan.target)
    return moved(state.surveys[name], plan.sources.get(name, target), target, plan.revision)
