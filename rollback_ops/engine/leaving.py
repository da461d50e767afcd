"""Runs checks of the releases that a rollback leaves, while it is planned. It waits for answers 0.1 s at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from rollback_ops import checks
from rollback_ops.checks import NetworkProbe
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Finding
from rollback_ops.core.model import PERSONAL_TRIGGERS, Survey
from rollback_ops.core.run import RunState
from rollback_ops.core.tasks import Cancellation, Pending
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec

# The findings with their times, by host and name of the check.
Asked = Pending[tuple[str, str], tuple[Finding, float]]

# Seconds that the first change waits for answers, at most. Most are there before the target has been inspected.
_GRACE = 0.1


def ask(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Asked | None:
    """Begin to run, once, the live releases' checks that open a connection. None: no answer would change anything.

    Checks that run on a host would keep the agent's session from the transaction. No other evidence is needed where
    an automatic rollback, or a person, says that the release is bad. In a group, another service may be at fault.
    Another run that holds a host may have stopped the service.
    """
    info = spec.info
    if info.dry_run or info.bad or info.trigger not in PERSONAL_TRIGGERS or state.group:
        return None
    if any(survey.lease for survey in state.surveys.values()):
        return None
    lives = {survey.host: survey.live.name for survey in state.surveys.values() if _runs(survey)}
    wanted = {host: _connecting(spec, live) for host, live in lives.items()}
    return fleet.ask_beside(wanted) if len(lives) <= fleet.connections and any(wanted.values()) else None


def settle(asked: Asked | None, spec: RollbackSpec, within: float = _GRACE) -> None:
    """Wait for answers that are still under way, at most ``within`` seconds. An emergency does not wait."""
    if asked and spec.info.mode != "emergency":
        asked.results(within, Cancellation())


def failed(asked: Asked | None, fleet: Fleet, state: RunState) -> dict[str, tuple[str, ...]]:
    """Return, by host, the checks that failed before any host was told to stop its service.

    A service that is being stopped may answer anything, and one address may lead to several hosts. Empty where another
    run had the lock meanwhile.
    """
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for host, evidence in _evidence(None if state.locked_out else asked, fleet):
        found[host] += (evidence,)
    return found


def _runs(survey: Survey) -> bool:
    """Return whether a release is live and up. One that is still starting may not answer yet."""
    up = all(unit.state in ("running", "finished", "files") for unit in survey.units)
    return survey.live.state == "release" and not survey.interrupted and up


def _connecting(spec: RollbackSpec, live: str) -> Mapping[str, NetworkProbe]:
    built = checks.after(spec.checks(live))
    return {name: check for name, check in built.items() if checks.opens_connection(check)}


def _evidence(asked: Asked | None, fleet: Fleet) -> Iterator[tuple[str, str]]:
    answers = asked.results(0.0, Cancellation()) if asked else {}
    for (host, name), answer in answers.items():
        if isinstance(answer, RollbackOpsError):
            continue
        finding, at = answer
        in_time = fleet.changing_since is not None and at < fleet.changing_since
        if finding.verdict == "failed" and not finding.silent and in_time:
            yield host, f"{name}: {finding.detail or finding.verdict}"
