"""``drill``: roll back and forward again on purpose, several times, and say how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import RunResult
from rollback_ops.commands.run import fleet_of, publish, spec_of
from rollback_ops.core.errors import Exit
from rollback_ops.core.frozen import frozen
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.statistics import Statistics, statistics
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.drill import drill as drill_once


@frozen
class Drills:
    """The records of all drills; ``result`` is that of the last one. ``wanted``: how many there were to be.

    ``cancelled`` is the exit code of the signal after which no other one began; 0 without one.
    """

    records: Sequence[Record]
    result: RunResult
    wanted: int
    cancelled: int = 0

    @property
    def statistics(self) -> Statistics | None:
        """Statistics of those that began; None where none did."""
        return statistics(self.records).drills

    @property
    def exit_code(self) -> int:
        return self.result.exit_code or self.cancelled


def drill(context: Context, times: int, progress: Progress, cancellation: Cancellation) -> Drills:
    """Drill this many times, with new connections each time. Stops after the first drill that does not succeed.

    Raises ``UsageError`` for a dry run and for an emergency, and ``Refused`` when the person who asks lacks the
    permission that the environment requires.
    """
    context.refuse_limits("emergency")
    context = replace(context, request=replace(context.request, trigger="drill"))
    context.check_permission()
    publisher = context.publisher(deployment=False)
    records: list[Record] = []
    for number in range(1, times + 1):
        progress.phase("drill", f"{number} of {times}")
        again = context if number == 1 else replace(context, started_at=datetime.now(UTC))
        with again.closing():
            record = drill_once(spec_of(again, again.reason), fleet_of(again, progress, cancellation))
        records.append(record)
        if record.exit_code != Exit.OK or cancellation.asked:
            break
    result = publish(context, publisher, records[-1])
    stopped = cancellation.asked and len(records) < times
    return Drills((*records[:-1], result.record), result, times, 128 + cancellation.signal if stopped else 0)
