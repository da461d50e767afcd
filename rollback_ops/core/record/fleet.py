"""The parts of a record about many hosts: the plan, the strategy, its waves, and the shards of a plan."""

from collections.abc import Callable
from typing import Literal, Self

from rollback_ops.core.record.parts import Outcome, RecordPart, Timestamp


class PlanRef(RecordPart):
    """The plan that was carried out: the run that made it, and a hash of all that it says."""

    id: str
    hash: str


class ShareRecord(RecordPart):
    """The amounts of a strategy in one region (None: there are no regions), as numbers of hosts."""

    region: str | None = None
    hosts: int
    canary: int
    max_parallel: int
    max_failures: int


class StrategyRecord(RecordPart):
    """The strategy as it was resolved before anything was changed. Durations in seconds.

    ``excluded`` are the regions that were left out. ``stopped`` says why no new wave began (empty: all did), ``then``
    which command goes on.
    """

    told: tuple[str, ...] = ()
    hosts: int
    max_failures: int
    shares: tuple[ShareRecord, ...] = ()
    pause: float = 0.0
    bake: float = 0.0
    progress_deadline: float = 0.0
    deadline: float | None = None
    after_canary: str = "continue"
    on_exceeded: str = "stop"
    order: str = "unhealthy-first"
    excluded: tuple[str, ...] = ()
    stopped: str = ""
    then: str = ""

    def redacted(self, redact: Callable[[str], str]) -> Self:
        return self.model_copy(update={"stopped": redact(self.stopped)})


class WaveRecord(RecordPart):
    """The result of one wave. The outcome is that of its hosts together. None: it did not begin, or did not end."""

    number: int
    role: str = "rest"
    region: str | None = None
    hosts: tuple[str, ...] = ()
    outcome: Outcome | Literal["not_begun"] = "not_begun"
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class ShardRef(RecordPart):
    """The shard of a plan that the run carried out, counted from 1."""

    number: int
    of: int


class ShardRunRecord(RecordPart):
    """How one run of a shard ended."""

    id: str
    outcome: Outcome
    started_at: Timestamp
    duration_seconds: float
    run_url: str | None = None


class ShardRecord(RecordPart):
    """The result of one shard in a merged record. A shard without a record is ``unknown``, or did not begin.

    ``runs`` has all runs of a shard that was run several times, in order.
    """

    number: int
    stage: str = "rest"
    region: str | None = None
    hosts: int = 0
    outcome: Outcome | Literal["not_begun", "unknown"] = "unknown"
    run_url: str | None = None
    duration_seconds: float | None = None
    runs: tuple[ShardRunRecord, ...] = ()
