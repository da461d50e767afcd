"""Changes hosts and verifies them, all at the same time: a whole rollback, or one wave of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from rollback_ops import checks
from rollback_ops.core.health import Claim, Verification
from rollback_ops.core.model import SwitchResult
from rollback_ops.core.ports import Announcer
from rollback_ops.core.recorder import provisional
from rollback_ops.core.rollout import named
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.proof import Proof
from rollback_ops.engine.spec import RollbackSpec, for_host
from rollback_ops.engine.superseded import note_superseded

# Steps of a transaction whose warnings are about more than the transaction.
_SIDE_EFFECTS = ("dependents", "processes", "reload")


def switch(
    spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, names: Collection[str], announcer: Announcer
) -> None:
    """Run the transaction on these hosts. Each host finishes what it began, even when this process is killed."""
    plans = [host for host in attempt.plan.with_action("switch") if host.host in names]
    orders = {host.host: for_host(spec, host, state) for host in plans}
    if not orders:
        return
    fleet.progress.phase("switch", f"{named(orders)} to {attempt.plan.target}", len(orders))
    announcer.changing(provisional(state))
    fleet.extend(spec.traffic_time, orders)
    # A way back is finished even when the time is up.
    way_back = spec.limits.stop + spec.limits.start + spec.traffic_time
    proves = not (attempt.goes_back or spec.selection.emergency)
    proof = _proof(spec, state, attempt, orders, leased=orders) if proves else None
    switched = fleet.switch(orders, way_back if attempt.goes_back else 1.0, proof, announcer.at_work)
    attempt.switched.update(switched)
    state.warnings += _side_effects(switched)
    if not attempt.locked_out:
        announcer.changed()
    note_superseded(fleet, state, [name for name in attempt.taken_over if name in orders])


def _side_effects(switched: Mapping[str, SwitchResult]) -> list[str]:
    """Name the side effects of a stop and a start: other units that are down, processes that still run."""
    return [
        f"{host}: {step.detail}"
        for host, result in switched.items()
        for step in result.steps
        if step.name in _SIDE_EFFECTS and step.outcome == "warning"
    ]


def verify(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, names: Sequence[str]) -> None:
    """Run the checks on those of these hosts that run the target."""
    running = [name for name in attempt.running if name in names]
    if not running:
        return
    fleet.progress.phase("verify", f"checking {attempt.plan.target} on {named(running)}", len(running))
    units = {name: result.units for name, result in attempt.switched.items() if name in running}
    found = fleet.verify(_proof(spec, state, attempt, running, leased=attempt.switched), units)
    attempt.verified.update(found)
    note_superseded(fleet, state, [name for name, each in found.items() if each.superseded])


def confirmed(
    fleet: Fleet, state: RunState, attempt: Attempt, found: Mapping[str, Verification]
) -> dict[str, Verification]:
    """Ask hosts that became unhealthy whether they are still this run's. Returns what holds then.

    On a host that somebody else took over, the checks judged another release. A host that does not answer says
    nothing about its service.
    """
    claims = _claims(state, attempt, found, leased=attempt.switched)
    seen = fleet.claimed(claims)
    note_superseded(fleet, state, [name for name, now in seen.items() if claims[name].is_lost(now)])
    return {
        name: replace(each, reachable=name in seen, superseded=name in state.superseded) for name, each in found.items()
    }


def _proof(
    spec: RollbackSpec, state: RunState, attempt: Attempt, names: Iterable[str], leased: Collection[str]
) -> Proof:
    on = attempt.plan.target_on
    claims = _claims(state, attempt, names, leased)
    return Proof(lambda host: checks.after(spec.checks(on(host))), spec.thresholds, claims)


def _claims(state: RunState, attempt: Attempt, names: Iterable[str], leased: Collection[str]) -> dict[str, Claim]:
    on = attempt.plan.target_on
    return {name: Claim(state.info.id, on(name), leased=name in leased) for name in names}


def change_all(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, announcer: Announcer) -> None:
    """Change all hosts of an attempt at the same time, and verify those that run its target."""
    names = [host.host for host in attempt.plan.hosts]
    switch(spec, fleet, state, attempt, names, announcer)
    fleet.heed_signals()
    if attempt.goes_back:
        return
    if spec.selection.emergency:
        state.skipped = tuple((n, check.kind) for n, check in checks.after(spec.checks(attempt.plan.target)).items())
        state.warnings.append("the verification was skipped (emergency): run `rollback-ops verify` now")
        return
    verify(spec, fleet, state, attempt, names)
