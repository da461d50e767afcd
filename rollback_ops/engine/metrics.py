"""Watch metrics until they decide whether the live release is worse than the one before, or their windows are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rollback_ops.config import MetricCheck
from rollback_ops.core.health import CheckResult, Finding, Verdict, Verification
from rollback_ops.core.record import CountRecord, EvidenceRecord
from rollback_ops.engine.analysis.judge import ENOUGH_TICKS
from rollback_ops.engine.analysis.values import Count, MetricJudgement, Rules
from rollback_ops.engine.deployed import Deployed
from rollback_ops.engine.meters import Counted, Meter, Stored, World

# Seconds for which the counts of hosts are read where a command only looks at them.
BRIEFLY = 5.0
_NO_CONTROL = "no host runs another release to compare with; a canary wave leaves some"


def longest(metrics: Mapping[str, MetricCheck]) -> float:
    """Return how many seconds metrics are watched at most."""
    return max((m.warm_up + m.window + 2 * m.tick for m in metrics.values()), default=0.0)


def rules_of(check: MetricCheck, metrics: int) -> Rules:
    """Return the rules of one of several metrics: they share α."""
    return Rules(check.baseline, check.alpha / metrics, check.floor, check.warm_up, check.window)


def watch_metrics(metrics: Mapping[str, MetricCheck], deployed: Deployed, world: World) -> tuple[EvidenceRecord, ...]:
    """Watch all metrics, until each has decided or one is worse. They share α: each has its part of it."""
    began = world.now()
    rules = {name: rules_of(check, len(metrics)) for name, check in metrics.items()}
    meters: dict[str, Meter] = {
        name: Stored(check, rules[name], deployed, world, began)
        if check.source == "prometheus"
        else Counted(check, rules[name], deployed, world, began)
        for name, check in metrics.items()
    }
    if not deployed.older:
        _without_control(meters, metrics)
    while pending := [n for n, m in meters.items() if m.judgement.verdict == "undecided" and world.now() < m.ends_at]:
        for name in pending:
            meters[name].look(world.now())
        if any(meter.judgement.verdict == "worse" for meter in meters.values()):
            break
        if any(meters[name].judgement.verdict == "undecided" for name in pending):
            world.pause(min(metrics[name].tick for name in pending))
    return tuple(_evidence(n, metrics[n], rules[n], meter, world.now() - began) for n, meter in meters.items())


def look_at_metrics(
    metrics: Mapping[str, MetricCheck], deployed: Deployed, world: World, seconds: float = BRIEFLY
) -> tuple[EvidenceRecord, ...]:
    """Judge the counts that Prometheus has kept since the release became live, and those of hosts in so many seconds.

    The hosts keep no counts of the past. Where no metric needs theirs, this does not wait.
    """
    began = world.now()
    rules = {name: rules_of(check, len(metrics)) for name, check in metrics.items()}
    stored, counted = (
        {n: c for n, c in metrics.items() if (c.source == "prometheus") == kept} for kept in (True, False)
    )
    meters: dict[str, Meter] = {n: Stored(check, rules[n], deployed, world, began) for n, check in stored.items()}
    meters |= {n: Counted(check, rules[n], deployed, world, began) for n, check in counted.items()}
    if not deployed.older:
        _without_control(meters, metrics)
    for name in stored:
        if deployed.older or stored[name].baseline == "before":
            meters[name].look(began)
    if counted and deployed.older:
        _count({n: meters[n] for n in counted}, min(c.tick for c in counted.values()), began + seconds, world)
    return tuple(_evidence(n, metrics[n], rules[n], meters[n], world.now() - began) for n in metrics)


def _count(meters: Mapping[str, Meter], tick: float, until: float, world: World) -> None:
    """Read the counts of hosts every ``tick`` and at the end, until one metric is worse or all have decided."""
    while True:
        for meter in meters.values():
            meter.look(world.now())
        verdicts = {meter.judgement.verdict for meter in meters.values()}
        left = until - world.now()
        if left <= 0 or "worse" in verdicts or "undecided" not in verdicts:
            return
        world.pause(min(tick, left))


def with_evidence(found: Verification, evidence: Sequence[EvidenceRecord]) -> Verification:
    """Return the verification of a host with the newest release, with the results of its metrics as checks."""
    verdicts: dict[str, Verdict] = {"worse": "failed", "not_worse": "passed", "undecided": "unknown"}
    shown = tuple(
        CheckResult(e.check, "metric", Finding(verdicts[e.verdict], e.detail, trigger="metric-degraded"), e.seconds)
        for e in evidence
    )
    healthy = found.healthy and all(each.finding.verdict == "passed" for each in shown)
    return replace(found, healthy=healthy, checks=(*found.checks, *shown))


def _without_control(meters: Mapping[str, Meter], metrics: Mapping[str, MetricCheck]) -> None:
    for name, meter in meters.items():
        if metrics[name].baseline == "control":
            meter.ends_at = 0.0
            meter.trouble = _NO_CONTROL


def _evidence(name: str, check: MetricCheck, rules: Rules, meter: Meter, seconds: float) -> EvidenceRecord:
    found = meter.judgement
    return EvidenceRecord(
        check=name,
        source=check.source,
        baseline=check.baseline,
        verdict=found.verdict,
        detail=_words(found, rules, meter.trouble, meter.slower_than),
        alpha=rules.alpha,
        needed=found.needed,
        e_worse=float(f"{found.e_worse:.4g}"),
        e_not_worse=float(f"{found.e_not_worse:.4g}"),
        new=CountRecord(bad=found.new.bad, total=found.new.total),
        old=CountRecord(bad=found.old.bad, total=found.old.total),
        bursts=round(found.bursts, 3),
        ticks=found.ticks,
        seconds=round(seconds, 3),
        slower_than=meter.slower_than,
    )


def _words(found: MetricJudgement, rules: Rules, trouble: str, slower_than: float | None) -> str:
    """Say what was compared and, when undecided, what a decision needs."""
    bad = "bad" if slower_than is None else f"slower than {slower_than:g} s"
    compared = f"{_share(found.new, bad)} now, {_share(found.old, bad)} of the old release"
    if found.verdict != "undecided":
        return compared
    if trouble:
        return f"undecided: {trouble}"
    if not found.new.total:
        return "undecided: nothing was counted; the service needs traffic"
    worse = found.e_worse >= found.needed and (found.new.rate or 0.0) > rules.floor
    if worse or found.e_not_worse >= found.needed:
        ticks = f"it takes {ENOUGH_TICKS} ticks to show how much bad events vary"
        return f"undecided: {compared}; the old release was counted for too short a time: {ticks}"
    strength = f"evidence {found.e_worse:.3g} that it is worse, {found.e_not_worse:.3g} that it is not"
    return f"undecided: {compared}; {strength}; it takes {found.needed:g}: more traffic or a longer window"


def _share(count: Count, bad: str) -> str:
    return f"{count.bad:g} of {count.total:g} {bad} ({count.rate:.2%})" if count.rate is not None else "nothing counted"
