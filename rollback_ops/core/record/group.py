"""The parts of a record about a group of services."""

from collections.abc import Callable
from typing import Literal, Self

from pydantic import Field

from rollback_ops.core.record.parts import Outcome, RecordPart, ReleaseRef


class GroupServiceRecord(RecordPart):
    """Where one service of a group is: the outcome of its own run, what it left, and where it went or is to go."""

    service: str
    run: str
    outcome: Outcome | Literal["not_begun"]
    from_: ReleaseRef = Field(default=ReleaseRef(), alias="from")
    to: ReleaseRef = ReleaseRef()


class GroupRecord(RecordPart):
    """The group that a run is of, or a part of. ``run`` is that of the group.

    ``steps``: the services as they are changed, those of one step at the same time. ``verified_set``: the run that
    verified the target together; None: there was none. ``stopped`` says why no other service was changed. ``then``
    and ``back`` are the commands that leave a mixed state; empty where all services belong together.
    """

    name: str
    run: str
    steps: tuple[tuple[str, ...], ...] = ()
    together: bool = False
    on_failure: str = "stop"
    verified_set: str | None = None
    services: tuple[GroupServiceRecord, ...] = ()
    stopped: str = ""
    then: str = ""
    back: str = ""

    def redacted(self, redact: Callable[[str], str]) -> Self:
        return self.model_copy(update={"stopped": redact(self.stopped)})
