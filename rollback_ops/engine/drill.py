"""Drills: goes back and forward again on purpose, and verifies both.

Once the first host was changed, the release that was live is made live again in any case: also after a failed check,
and after a signal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rollback_ops import checks
from rollback_ops.core.errors import Cancelled, RollbackOpsError
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, way_back
from rollback_ops.core.ports import Announcer
from rollback_ops.core.record import DrillRecord, DrillWay, Record
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.core.versions import Versions
from rollback_ops.engine.approval import approved
from rollback_ops.engine.change import switch, verify
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.rollback import survey, write_record
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.engine.superseded import still_own


class _Nobody:
    """An announcer that announces nothing: a drill is reported when it has ended."""

    def changing(self, provisional: Record, /) -> None:
        pass

    def at_work(self) -> None:
        pass

    def changed(self) -> None:
        pass


_NOBODY: Announcer = _Nobody()


def drill(spec: RollbackSpec, fleet: Fleet) -> Record:
    """Go back to the release that a rollback would choose, verify it, and go forward again. Never raises.

    Nothing is begun unless all hosts run one healthy release, and no other run holds them. No release is marked, and
    no hold is set.
    """
    state = RunState(spec.info, fleet.names, spec.redact, spec.started_at, regions=spec.regions)
    way = _Ways(spec, fleet, state)
    try:
        survey(fleet, state)
        state.decision = decision = _refusal(spec, fleet, state) or _plan(spec, fleet, state)
        if isinstance(decision, Plan):
            way.back(decision)
    except Cancelled as cancelled:
        state.cancelled = cancelled.exit_code
    try:
        if state.attempts:
            way.forward()
    finally:
        fleet.release()
    return write_record(spec, fleet, state)


def _plan(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Plan | NothingToDo | Refusal:
    decision = approved(spec, fleet, state, choose(spec, fleet, list(state.surveys.values()), {}))
    if isinstance(decision, Plan):
        fleet.progress.phase("plan", f"{state.origin} → {decision.target} → {state.origin}")
    return decision


def _refusal(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Refusal | None:
    """Return why a drill must not begin; None when it may."""
    if state.lost:
        return Refusal(f"a drill needs all of its hosts, and {', '.join(state.lost)} cannot be reached")
    if spec.strategy and len(state.surveys) > 1:
        hint = "Drill on one host: name it with --host."
        return Refusal("a drill changes all of its hosts at once, and this environment has a strategy", hint)
    surveys = list(state.surveys.values())
    versions = Versions(surveys)
    lives = {versions.label(each.host, each.live.name) for each in surveys}
    if len(lives) > 1:
        return Refusal(f"the hosts run different releases: {', '.join(sorted(lives))}", "Repair that first.")
    for each in surveys:
        if not each.live.name:
            return Refusal(f"{each.host}: none of the releases is live ({each.live.state})", "`list` shows them.")
        if each.armed:
            return Refusal(f"{each.host} is armed until {each.armed.until}: a deployment is not confirmed yet")
    return _open(spec, state) or _unhealthy(spec, fleet, state)


def _open(spec: RollbackSpec, state: RunState) -> Refusal | None:
    interrupted = [name for name, each in state.surveys.items() if each.open_drill or each.interrupted]
    if not interrupted:
        return None
    hint = f"`rollback-ops resume {spec.info.environment}` finishes it."
    return Refusal(f"a drill or a rollback was interrupted on {', '.join(interrupted)}", hint)


def _unhealthy(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Refusal | None:
    """Return why the live release is unfit for a drill, which would show nothing and could make it worse; else None."""
    lives = {name: each.live.name for name, each in state.surveys.items()}
    for host, found in fleet.ask_once(lives, lambda name: checks.after(spec.checks(lives[name]))).items():
        if isinstance(found, RollbackOpsError):
            return Refusal(f"{host}: its checks could not be run: {found.message}")
        for name, finding in found.items():
            if finding.verdict != "passed":
                why = finding.detail or finding.verdict
                return Refusal(f"{host}: {lives[host]} is live, and its check {name} does not pass: {why}")
    return None


@dataclass
class _Ways:
    """The two ways of a drill as they go on."""

    spec: RollbackSpec
    fleet: Fleet
    state: RunState
    found: list[DrillWay] = field(default_factory=list)

    def back(self, plan: Plan) -> None:
        """Go back, and verify. Raises ``Cancelled``."""
        self.state.drill = DrillRecord()
        began = time.monotonic() - (datetime.now(UTC) - self.state.started_at).total_seconds()
        self._go(self.fleet, Attempt(plan), began)
        self.fleet.heed_signals()

    def forward(self) -> None:
        """Make the release live again from which the drill started. No signal stops this."""
        fleet, state, began = self.fleet.to_the_end(), self.state, time.monotonic()
        last = state.attempts[-1]
        fleet.renew(self.spec.limits.total)
        origins = {name: each.origin for name, each in state.surveys.items()}
        plan = way_back(still_own(fleet, state, last), origins, "the drill goes forward again")
        if plan.hosts:
            self._go(fleet, Attempt(plan, goes_back=True), began)

    def _go(self, fleet: Fleet, attempt: Attempt, began: float) -> None:
        spec, state = self.spec, self.state
        names = [host.host for host in attempt.plan.hosts]
        state.attempts.append(attempt)
        way = DrillWay(way="forward" if attempt.goes_back else "back", release=attempt.plan.target)
        switch(spec, fleet, state, attempt, names, _NOBODY)
        asked = time.monotonic()
        if not state.cancelled:
            verify(spec, fleet, state, attempt, names)
        self.found.append(way.model_copy(update=_measured(attempt, asked - began)))
        state.drill = DrillRecord(ways=tuple(self.found))


def _measured(attempt: Attempt, before: float) -> Mapping[str, float | None]:
    """Return the seconds until every check had passed once on every host, and the longest downtime of a host."""
    downs = [result.downtime for result in attempt.switched.values() if result.downtime is not None]
    found = [attempt.verified.get(name) for name in attempt.switched]
    healthy = [each for each in found if each and each.healthy]
    first = [max((check.seconds for check in each.checks), default=0.0) for each in healthy]
    whole = len(first) == len(attempt.switched) > 0
    return {
        "seconds_to_healthy": round(before + max(first), 3) if whole else None,
        "downtime_seconds": round(max(downs), 3) if downs else None,
    }
