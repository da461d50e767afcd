"""Divides the hosts of a plan into waves by a strategy, and decides when to stop. Pure.

- Amounts are counts, or percentages of the hosts that this rollback will change. They become hosts once, when the plan
  is made: ``canary`` is rounded up, to at least 1; ``max_parallel`` down, to at least 1; ``max_failures`` down.
- Regions go one after the other, in the order of the settings. Each has its own canary, ``max_parallel`` and budget;
  there is one budget for all of them together, too.
- Hosts that were unhealthy before go first, all at once: they serve no requests anyway. They do not count
  for ``max_parallel``. A host whose health is unknown may be healthy, so it counts.
- No wave has more hosts than ``connections``: each keeps its connection from the stop to the end of its verification.
- Then the canary goes alone: any failure among its hosts stops the rollback.
- Then the others go in waves, so that never more than ``max_parallel`` healthy hosts are down at once. That holds for
  the canary, and on the way back.
- No new wave begins when more hosts than ``max_failures`` have failed, in the region or in all. A host has failed that
  was not switched, was not found healthy, or could not be surveyed. A host that is done and becomes unhealthy
  later has failed, too.
- No new wave begins when no host has become healthy for ``progress_deadline`` (pauses do not count), or when the
  rollback has taken longer than ``deadline``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from rollback_ops.config import Strategy
from rollback_ops.core.frozen import frozen
from rollback_ops.core.rollout import Amount, Role, Rollout, Share, Wave, named


def resolve(
    strategy: Strategy,
    hosts: Sequence[str],
    unhealthy: Collection[str] = (),
    regions: Mapping[str, str] | None = None,
    excluded: Sequence[str] = (),
) -> Rollout:
    """Return the waves of these hosts. ``regions`` maps hosts to their region; without one they are in none."""
    parts = _by_region(hosts, regions or {})
    shares = tuple(_share(strategy, region, part, unhealthy) for region, part in parts.items())
    steps = [step for share in shares for step in _steps(strategy, share, parts[share.region], unhealthy)]
    waves = tuple(Wave(number, step.hosts, step.role, step.region) for number, step in enumerate(steps, 1))
    return Rollout(
        waves=waves,
        shares=shares,
        max_failures=strategy.max_failures.rounded_down(len(hosts)),
        pause=strategy.pause,
        bake=strategy.bake,
        progress_deadline=strategy.progress_deadline,
        deadline=strategy.deadline,
        after_canary=strategy.after_canary,
        on_exceeded=strategy.on_exceeded,
        order=strategy.order,
        excluded=tuple(excluded),
        told=tuple(_told(strategy, share, waves) for share in shares),
    )


def back(rollout: Rollout, hosts: Sequence[str], unhealthy: Collection[str], regions: Mapping[str, str]) -> list[Wave]:
    """Return the waves in which hosts go back to where they started: without a canary, and with the same capacity."""
    return [
        Wave(0, step, "rest", region)
        for region, part in _by_region(hosts, regions).items()
        for step in _chunks(_unhealthy_first(part, unhealthy), unhealthy, rollout.share(region).max_parallel)
    ]


@frozen
class Decision:
    """The decision after a wave. ``why`` says why no new wave begins; empty when one does."""

    then: Literal["go on", "stop", "restore"]
    why: str = ""


GO_ON = Decision("go on")


def decide(
    rollout: Rollout, wave: Wave | None, failed: Mapping[str, str], *, stalled: float = 0.0, elapsed: float = 0.0
) -> Decision:
    """Decide whether another wave may begin after this one. None: before the first.

    ``failed`` maps every host that has failed so far to its region. ``stalled``: seconds of waves since a host last
    became healthy. ``elapsed``: seconds since the rollback began.
    """
    if why := _exceeded(rollout, wave, failed) or _stalled(rollout, stalled):
        return Decision("restore" if rollout.on_exceeded == "restore" else "stop", why)
    if rollout.deadline is not None and elapsed >= rollout.deadline:
        return Decision("stop", f"the whole took longer than its deadline ({rollout.deadline:g} s)")
    if rollout.after_canary == "stop" and wave and wave.role == "canary" and _is_last_canary(rollout, wave):
        return Decision("stop", 'the canary is done, and after_canary is "stop": look at it')
    return GO_ON


def rest_before(rollout: Rollout, wave: Wave, following: Wave) -> float:
    """Return the seconds between two waves."""
    return rollout.pause if wave.region == following.region else max(rollout.pause, rollout.bake)


def _exceeded(rollout: Rollout, wave: Wave | None, failed: Mapping[str, str]) -> str:
    if wave and wave.role == "canary" and (canaries := [host for host in wave.hosts if host in failed]):
        return f"the canary failed: {named(canaries)}"
    for share in rollout.shares:
        there = [host for host, region in failed.items() if region == share.region]
        if share.region and len(there) > share.max_failures:
            return f"{_failures(there)} in region {share.region}, more than max_failures ({share.max_failures})"
    if len(failed) > rollout.max_failures:
        return f"{_failures(failed)}, more than max_failures ({rollout.max_failures})"
    return ""


def _stalled(rollout: Rollout, seconds: float) -> str:
    limit = rollout.progress_deadline
    return f"no host became healthy for {limit:g} s (progress_deadline)" if seconds >= limit else ""


def _failures(hosts: Collection[str]) -> str:
    return f"{len(hosts)} host{'s' * (len(hosts) > 1)} failed ({named(hosts)})"


def _is_last_canary(rollout: Rollout, wave: Wave) -> bool:
    return wave == [each for each in rollout.waves if each.role == "canary" and each.region == wave.region][-1]


def _by_region(hosts: Sequence[str], regions: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the hosts of each region, in the order of the settings."""
    parts: dict[str, list[str]] = {}
    for host in hosts:
        parts.setdefault(regions.get(host, ""), []).append(host)
    return parts


def _share(strategy: Strategy, region: str, hosts: Sequence[str], unhealthy: Collection[str]) -> Share:
    count = len(hosts)
    candidates = [host for host in hosts if host not in unhealthy or strategy.order == "listed"]
    canary = max(1, strategy.canary.rounded_up(count)) if strategy.canary.number else 0
    return Share(
        hosts=count,
        canary=min(canary, len(candidates)),
        max_parallel=max(1, min(strategy.max_parallel.rounded_down(count), count, strategy.connections)),
        max_failures=strategy.max_failures.rounded_down(count),
        region=region,
    )


def _steps(strategy: Strategy, share: Share, hosts: Sequence[str], unhealthy: Collection[str]) -> Iterator[Wave]:
    """Yield the waves of one region; their numbers follow."""
    ordered, first = list(hosts), []
    role: Role
    if strategy.order == "unhealthy-first":
        first = [host for host in hosts if host in unhealthy]
        ordered = [host for host in hosts if host not in unhealthy]
    canary, others = ordered[: share.canary], ordered[share.canary :]
    for role, part in (("unhealthy", first), ("canary", canary), ("rest", others)):
        chunks = _chunks(part, unhealthy, share.max_parallel, strategy.connections)
        yield from (Wave(0, chunk, role, share.region) for chunk in chunks)


def _chunks(
    hosts: Sequence[str], unhealthy: Collection[str], size: int, most: int = sys.maxsize
) -> Iterator[tuple[str, ...]]:
    """Yield the hosts in groups with at most ``size`` healthy ones in each, and with at most ``most`` hosts."""
    chunk: list[str] = []
    healthy = 0
    for host in hosts:
        if len(chunk) == most or (host not in unhealthy and healthy == size):
            yield tuple(chunk)
            chunk, healthy = [], 0
        chunk.append(host)
        healthy += host not in unhealthy
    if chunk:
        yield tuple(chunk)


def _unhealthy_first(hosts: Sequence[str], unhealthy: Collection[str]) -> list[str]:
    return sorted(hosts, key=lambda host: host not in unhealthy)


def _told(strategy: Strategy, share: Share, waves: Sequence[Wave]) -> str:
    """Show the amounts as hosts: "25 % of 10: 2 at a time, stops after more than 0 failures"."""
    own = [wave for wave in waves if wave.region == share.region]
    down = sum(len(wave.hosts) for wave in own if wave.role == "unhealthy")
    parts = [f"{down} unhealthy first"] if down else []
    parts += [f"canary {_of(strategy.canary, share)}{share.canary}"] if share.canary else []
    fewer = " (connections)" if share.max_parallel == strategy.connections < share.hosts else ""
    parts += [f"{_of(strategy.max_parallel, share)}{share.max_parallel} at a time{fewer}"]
    parts += [f"stops after more than {_limit(strategy.max_failures, share)}"]
    where = f"region {share.region}: " if share.region else ""
    return f"{where}{', '.join(parts)}; {len(own)} wave{'s' * (len(own) != 1)} of {share.hosts} hosts"


def _of(amount: Amount, share: Share) -> str:
    return f"{amount} of {share.hosts}: " if amount.percent else ""


def _limit(amount: Amount, share: Share) -> str:
    words = f"{share.max_failures} failure{'s' * (share.max_failures != 1)}"
    return f"{words} ({amount} of {share.hosts})" if amount.percent else words
