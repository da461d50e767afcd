"""Carries out a rollback in waves, as long as the strategy allows another one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from rollback_ops import checks
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Finding
from rollback_ops.core.plan import Plan, Refusal
from rollback_ops.core.ports import Announcer
from rollback_ops.core.record import PlanRef
from rollback_ops.core.rollout import Rollout, Wave, named
from rollback_ops.core.run import Attempt, RunState, WaveRun, rfc3339
from rollback_ops.core.stored_plan import plan_hash, stored
from rollback_ops.engine.change import confirmed, switch, verify
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.observer import Observer
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.engine.strategy import GO_ON, Decision, back, decide, resolve, rest_before

# Seconds. During a pause, new evidence is acted upon within this time.
_LOOK_EVERY = 0.2


def plan_waves(spec: RollbackSpec, fleet: Fleet, state: RunState, plan: Plan) -> Refusal | None:
    """Resolve the strategy for the hosts that the plan changes, and show the waves before anything is changed.

    Returns why not even the first wave may begin. In an emergency the strategy is ignored, with a warning.
    """
    state.rollout = _rollout(spec, fleet, state, plan)
    state.plan = spec.pinned.fleet.ref if spec.pinned else _reference(state, plan)
    if state.rollout is None:
        return None
    for told in state.rollout.told:
        fleet.progress.phase("strategy", told)
    return _refusal(state, state.rollout)


def _rollout(spec: RollbackSpec, fleet: Fleet, state: RunState, plan: Plan) -> Rollout | None:
    hosts = [host.host for host in plan.with_action("switch")]
    if state.resumes and state.stored:
        return state.stored.left(plan)
    if spec.strategy is None or not hosts:
        return None
    if spec.selection.emergency:
        state.warnings.append(f"the strategy was ignored (emergency): {named(hosts)} at the same time")
        return None
    down = _unhealthy_before(spec, fleet, state, hosts)
    return resolve(spec.strategy, hosts, down, spec.regions, spec.excluded)


def _reference(state: RunState, plan: Plan) -> PlanRef:
    """Return the reference of the plan: its run and its hash. A plan with waves is kept, to be stored on the hosts."""
    info = state.info
    if state.rollout and not state.resumes:
        state.stored = stored(info.id, info.about, rfc3339(state.started_at), plan, state.rollout)
    if state.stored:
        return PlanRef(id=state.stored.id, hash=state.stored.hash)
    return PlanRef(id=info.id, hash=plan_hash(info.about, plan, None))


def _store(fleet: Fleet, state: RunState) -> None:
    """Store the plan on its hosts, before the first of them is changed: another runner can go on with it."""
    plan = state.stored
    if plan is None or (state.resumes and not (state.pinned and plan.rollout.waves)):
        return
    if not plan.line():
        state.warnings.append("the plan has too many hosts to be stored on them: `resume` cannot go on with it")
        return
    errors = fleet.note(state.info.id, state.surveys, plan.line())
    state.plan_is_stored = len(errors) < len(state.surveys)
    state.warnings += [f"{name}: it could not store the plan: {error.without(name)}" for name, error in errors.items()]


def _refusal(state: RunState, rollout: Rollout) -> Refusal | None:
    """Return why no wave may begin: hosts that cannot be surveyed have failed already."""
    failed = _failed(state, None)
    decision = decide(rollout, None, failed)
    if decision == GO_ON:
        return None
    gone = {host: error.message.removeprefix(f"{host}: ") for host, error in state.lost.items()}
    hint = "Repair the hosts, leave them out (--host, --exclude-region), or raise max_failures."
    return Refusal(f"no wave may begin: {decision.why}", hint, hosts=gone)


def roll_out(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, announcer: Announcer) -> None:
    """Change the hosts of an attempt wave by wave, until all are done or the strategy allows no other wave."""
    if state.rollout is None:
        raise ValueError("the attempt has no waves")
    _store(fleet, state)
    on = attempt.plan.target_on
    with Observer(fleet, lambda host: checks.after(spec.checks(on(host))), spec.thresholds) as observer:
        _Roll(spec, fleet, state, attempt, announcer, state.rollout, observer).run()


def go_back(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, announcer: Announcer) -> None:
    """Let the hosts of an attempt go back, wave by wave, with at most ``max_parallel`` healthy ones down at once.

    When more hosts than ``max_failures`` do not come back, no other wave begins: the others keep what they run.
    """
    for wave in attempt.waves:
        if why := _lost_on_the_way_back(state, attempt):
            left = [host.host for host in attempt.plan.hosts if host.host not in attempt.switched]
            state.warnings.append(f"the way back stopped: {why}; not put back: {named(left)}")
            fleet.progress.phase("stop", f"the way back: {why}")
            return
        fleet.renew(spec.limits.total, wave.hosts)
        switch(spec, fleet, state, attempt, wave.hosts, announcer)
        fleet.heed_signals()


def _lost_on_the_way_back(state: RunState, attempt: Attempt) -> str:
    """Return why no other host may go back; empty when one may.

    A host that failed on the target shows nothing new when it fails again.
    """
    before = _failed(state, state.forward[-1])
    failed = [name for name, result in attempt.switched.items() if result.outcome != "switched" or result.undrained]
    lost = {name: state.regions.get(name, "") for name in failed if name not in before}
    return decide(state.rollout, None, lost).why if state.rollout else ""


def waves_back(state: RunState, attempt: Attempt, plan: Plan) -> list[Wave]:
    """Return the waves in which the hosts of an attempt go back."""
    hosts = [host.host for host in plan.hosts]
    failed = _failed(state, attempt)
    return back(state.rollout, hosts, failed, state.regions) if state.rollout else []


@dataclass
class _Roll:
    """One attempt as it goes on. ``stalled``: seconds of waves since a host last became healthy."""

    spec: RollbackSpec
    fleet: Fleet
    state: RunState
    attempt: Attempt
    announcer: Announcer
    rollout: Rollout
    observer: Observer
    began: float = field(default_factory=time.monotonic)
    stalled: float = 0.0

    def run(self) -> None:
        decision = self._take_up()
        if self.state.pinned and self.rollout.bake:
            self.fleet.progress.phase("bake", f"{self.rollout.bake:g} s before the next region")
            decision = self._observe(self.rollout.bake, None)
        for wave, following in pairwise((*self.rollout.waves, None)):
            if wave is None or decision != GO_ON:
                break
            self._change(wave)
            decision = self._rest(wave, following) if following else self._decide(wave)
        if decision.then == "restore" or (decision != GO_ON and self.state.unfinished):
            self.state.stopped, self.state.restores = decision.why, decision.then == "restore"
            self.fleet.progress.phase("stop", decision.why)

    def _take_up(self) -> Decision:
        """Verify the hosts that run the target already: they count, too."""
        there = [host.host for host in self.attempt.plan.with_action("leave")]
        self.fleet.renew(self._wave_within, there)
        verify(self.spec, self.fleet, self.state, self.attempt, there)
        self.observer.add(_healthy(self.attempt, there))
        return self._decide(None)

    def _change(self, wave: Wave) -> None:
        """Change the hosts of a wave, and verify them. Raises ``Cancelled``."""
        began, run = time.monotonic(), WaveRun(wave, datetime.now(UTC))
        self.state.waves.append(run)
        self.fleet.progress.phase("wave", _heading(wave, self.rollout))
        self.fleet.renew(self._wave_within, wave.hosts)
        switch(self.spec, self.fleet, self.state, self.attempt, wave.hosts, self.announcer)
        self.fleet.heed_signals()
        verify(self.spec, self.fleet, self.state, self.attempt, wave.hosts)
        run.finished_at = datetime.now(UTC)
        healthy = _healthy(self.attempt, wave.hosts)
        self.stalled = 0.0 if healthy else self.stalled + time.monotonic() - began
        self.observer.add(healthy)

    def _rest(self, wave: Wave, following: Wave) -> Decision:
        """Wait before the following wave. Evidence against a host that is done ends the pause."""
        seconds = rest_before(self.rollout, wave, following)
        self.fleet.renew(seconds + self._wave_within, wave.hosts)
        if seconds and self._decide(wave) == GO_ON:
            what = "pause" if wave.region == following.region else "bake"
            self.fleet.progress.phase(what, f"{seconds:g} s before wave {following.number}")
        return self._observe(seconds, wave)

    def _observe(self, seconds: float, wave: Wave | None) -> Decision:
        until = time.monotonic() + seconds
        while (decision := self._decide(wave)) == GO_ON and (left := until - time.monotonic()) > 0:
            self.fleet.pause(min(_LOOK_EVERY, left))
        return decision

    def _decide(self, wave: Wave | None) -> Decision:
        news = self.observer.take()
        for host, found in (confirmed(self.fleet, self.state, self.attempt, news) if news else {}).items():
            self.attempt.verified[host] = found
            self.fleet.progress.verified(host, found)
        failed = _failed(self.state, self.attempt)
        return decide(self.rollout, wave, failed, stalled=self.stalled, elapsed=time.monotonic() - self.began)

    @property
    def _wave_within(self) -> float:
        return min(self.spec.limits.total, self.rollout.progress_deadline)


def _failed(state: RunState, attempt: Attempt | None) -> dict[str, str]:
    """Return the hosts that have failed so far, each with its region.

    A host that was changed and not found healthy has failed, whatever the reason. So has one that gets no traffic.
    """
    failed = [name for name in state.host_names if name in state.lost]
    if attempt:
        asked = [name for name in state.host_names if name in attempt.switched or name in attempt.verified]
        healthy = _healthy(attempt, asked)
        failed += [name for name in asked if name not in healthy]
    return {name: state.regions.get(name, "") for name in failed}


def _healthy(attempt: Attempt, hosts: Iterable[str]) -> list[str]:
    return [name for name in hosts if attempt.serves(name)]


def _unhealthy_before(spec: RollbackSpec, fleet: Fleet, state: RunState, hosts: Iterable[str]) -> set[str]:
    """Return the hosts whose service is down, or fails a check now. A host with unknown health counts as healthy."""
    lives = {name: state.surveys[name].live.name for name in hosts}
    down = {n for n in lives if any(unit.state in ("stopped", "failed") for unit in state.surveys[n].units)}
    up = [name for name in lives if name not in down]
    found = fleet.ask_once(up, lambda name: checks.after(spec.checks(lives[name])))
    return down | {name for name, each in found.items() if _fails(each)}


def _fails(found: Mapping[str, Finding] | RollbackOpsError) -> bool:
    return not isinstance(found, RollbackOpsError) and any(each.verdict == "failed" for each in found.values())


def _heading(wave: Wave, rollout: Rollout) -> str:
    role = {"unhealthy": " (unhealthy before)", "canary": " (canary)", "rest": ""}[wave.role]
    region = f" in {wave.region}" if wave.region else ""
    return f"{wave.number} of {rollout.waves[-1].number}{role}{region}: {named(wave.hosts)}"
