"""One answer of the agent: its lines, from the heading to the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rollback_ops.core.errors import BadAnswer
from rollback_ops.hosts.agent.protocol.fields import status_of


@dataclass
class Answer:
    """The lines of one operation, from its heading to its end.

    Lines before the heading (a login message) are no part of it; ``before`` keeps the last of them.
    """

    operation: str
    lines: list[list[str]] = field(default_factory=list)
    begun: bool = False
    status: int | None = None
    before: str = ""

    def feed(self, line: str) -> list[str] | None:
        """Return the fields of a line; None: it carries nothing."""
        fields = line.split("\t")
        if not self.begun:
            self.begun = fields == ["rollback-ops", "1", self.operation]
            self.before = line if line.strip() else self.before
            return None
        if self.status is not None:
            return None
        if fields[0] == "end":
            self.status = status_of(fields[1]) if len(fields) > 1 else -1
            return None
        self.lines.append(fields)
        return fields

    def whole(self) -> Answer:
        """Return this answer. Raises ``BadAnswer`` if it is not complete, from its heading to its end."""
        if not self.begun:
            raise BadAnswer("the host did not run the agent: its answer has no heading")
        if self.status is None:
            raise BadAnswer("the host's answer ends in the middle")
        return self

    def of(self, tag: str, least: int) -> Iterator[list[str]]:
        """Yield the fields behind a tag, for each line that has at least that many (missing ones are filled)."""
        for tagged, *fields in self.lines:
            if tagged == tag and len(fields) >= least:
                yield [*fields, "", "", "", "", ""]


def text_of(answer: Answer, tag: str) -> str:
    """Return the raw text behind a tag, line by line."""
    return "\n".join("\t".join(fields) for tagged, *fields in answer.lines if tagged == tag)
