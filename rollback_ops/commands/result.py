"""Results that commands share: that of a rollback, and the answers of hosts, apart from their errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen

if TYPE_CHECKING:
    from rollback_ops.core.changes import Changes
    from rollback_ops.core.record import Record

T = TypeVar("T")

# Seconds. A host that does not answer a survey within this time counts as unreachable.
SURVEY_WITHIN = 12.0


@frozen
class RunResult:
    """The result of ``rollback``, ``resume``, ``check`` and ``guard``.

    ``first_aid``: what a person should try first on a host where nothing runs. ``unpublished``: warnings about
    messages that could not be sent; the record has them too. ``decision``: what ``guard`` decided (``engine.guard``).
    ``changes``: the commits and files that leave the hosts; None: they are not known.
    """

    record: Record
    first_aid: tuple[str, ...] = ()
    unpublished: tuple[str, ...] = ()
    local: bool = False
    decision: str = ""
    changes: Changes | None = None

    @property
    def exit_code(self) -> int:
        return self.record.exit_code


@frozen
class Answers(Generic[T]):
    """The answer of each host, or its error."""

    found: Mapping[str, T]
    lost: Mapping[str, RollbackOpsError]


def sort_answers(results: Mapping[str, T | RollbackOpsError]) -> Answers[T]:
    """Sort the results of an operation on several hosts."""
    return Answers(
        {name: result for name, result in results.items() if not isinstance(result, RollbackOpsError)},
        {name: result for name, result in results.items() if isinstance(result, RollbackOpsError)},
    )
