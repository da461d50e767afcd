"""The types of a rollback in waves. All are frozen; amounts are in hosts, durations in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from rollback_ops.core.agreeing import FEW
from rollback_ops.core.frozen import frozen

# "unhealthy": hosts that were unhealthy before. "canary": hosts that go first, alone.
Role = Literal["unhealthy", "canary", "rest"]


@frozen
class Amount:
    """A number of hosts, or a percentage of them, as the settings say it."""

    number: float
    percent: bool = False

    def rounded_up(self, hosts: int) -> int:
        return math.ceil(self._of(hosts))

    def rounded_down(self, hosts: int) -> int:
        return math.floor(self._of(hosts))

    def _of(self, hosts: int) -> float:
        # Thousandths of a percent as whole numbers: 0.1 % of 1,000 is 1, and not a little more or less.
        return round(self.number * 1000) * hosts / 100_000 if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number:g}{' %' if self.percent else ''}"


@frozen
class Wave:
    """Hosts that are changed at the same time. ``number`` counts from 1. ``region`` is empty where there are none."""

    number: int
    hosts: tuple[str, ...]
    role: Role = "rest"
    region: str = ""


@frozen
class Share:
    """The amounts of a strategy in one region, as numbers of the hosts that the rollback changes there."""

    hosts: int
    canary: int
    max_parallel: int
    max_failures: int
    region: str = ""


@frozen
class Rollout:
    """A plan's hosts in waves, and when no new wave begins. Made once, before anything is changed.

    ``max_failures`` counts in all regions together, that of a share in its region. ``excluded`` are the regions that
    were left out. ``told`` says it in sentences, one for each region.
    """

    waves: tuple[Wave, ...]
    shares: tuple[Share, ...]
    max_failures: int
    pause: float = 0.0
    bake: float = 0.0
    progress_deadline: float = 600.0
    deadline: float | None = None
    after_canary: Literal["continue", "stop"] = "continue"
    on_exceeded: Literal["stop", "restore"] = "stop"
    order: Literal["unhealthy-first", "listed"] = "unhealthy-first"
    excluded: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host for wave in self.waves for host in wave.hosts)

    def share(self, region: str) -> Share:
        return next(share for share in self.shares if share.region == region)


def named(hosts: Iterable[str]) -> str:
    """Name a few hosts, or count many."""
    names = list(hosts)
    return ", ".join(names) if len(names) <= FEW else f"{len(names)} hosts"
