"""The measurements in a record: the evidence of metrics, and drills."""

from typing import Literal

from rollback_ops.core.record.parts import RecordPart


class CountRecord(RecordPart):
    """``bad`` events among ``total``."""

    bad: float = 0.0
    total: float = 0.0


class EvidenceRecord(RecordPart):
    """The evidence of a metric. ``e_worse`` and ``e_not_worse`` are e-values: a verdict takes ``needed`` at this alpha.

    ``new`` and ``old``: what was compared, in so many ``ticks`` and ``seconds``; ``bursts``: what divided the counts.
    ``slower_than``: seconds from which on a request is bad, where the metric is a latency.
    """

    check: str
    source: str
    baseline: str
    verdict: Literal["worse", "not_worse", "undecided"]
    detail: str = ""
    alpha: float
    needed: float
    e_worse: float
    e_not_worse: float
    new: CountRecord = CountRecord()
    old: CountRecord = CountRecord()
    bursts: float = 1.0
    ticks: int = 0
    seconds: float = 0.0
    slower_than: float | None = None


class DrillWay(RecordPart):
    """One way of a drill. ``seconds_to_healthy``: from its beginning until each check had passed once on each host.

    The way back of the first drill of a command begins with the process, so it includes the connections.
    ``downtime_seconds``: of the host that was down for longest. None: it did not get so far.
    """

    way: Literal["back", "forward"]
    release: str
    seconds_to_healthy: float | None = None
    downtime_seconds: float | None = None


class DrillRecord(RecordPart):
    """The measurements of a drill, way by way."""

    ways: tuple[DrillWay, ...] = ()

    @property
    def back(self) -> DrillWay | None:
        """The way that a rollback would go."""
        return next((each for each in self.ways if each.way == "back"), None)
