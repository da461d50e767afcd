"""The values on a page, ready for a template. All are frozen; times are seconds since the epoch.

``tone`` chooses a colour and a sign. No page tells a fact by colour alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from rollback_ops.core.frozen import frozen

if TYPE_CHECKING:
    from rollback_ops.core.record import HostRecord, Record
    from rollback_ops.core.statistics import Statistics
    from rollback_ops.core.summary import StepDuration

# Entries of the history. A browser takes long to lay out a table of a thousand rows at once.
_AT_ONCE, _PART = 50, 250
Tone = Literal["good", "bad", "warning", "plain"]
HealthWord = Literal["healthy", "unhealthy", "unknown"]


@frozen
class ServiceHealth:
    """Whether a service is healthy, unhealthy or unknown, with the evidence in one line."""

    word: HealthWord
    evidence: str

    @property
    def tone(self) -> Tone:
        return {"healthy": "good", "unhealthy": "bad", "unknown": "warning"}[self.word]  # type: ignore[return-value]


@frozen
class LiveRelease:
    """A release that is live on some hosts. ``since``: None where unknown. ``by``: empty where unknown."""

    release: str
    revision: str
    hosts: int
    since: float | None = None
    by: str = ""


@frozen
class HostRow:
    """One host, or many that agree. ``troubles``: what prevents or delays a rollback there."""

    hosts: tuple[str, ...]
    region: str
    live: str
    units: str
    tone: Tone
    troubles: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.hosts)


@frozen
class Banner:
    """A rollback that is still in force: deploying the release that it left again will bring the fault back."""

    left: str
    to: str
    why: str
    by: str
    at: float
    record: str


@frozen
class HoldView:
    """A hold that stands. ``readable``: False where a host stores a damaged one, which ends only when it is lifted."""

    about: str
    why: str
    by: str
    since: float
    until: float
    readable: bool = True


@frozen
class Notice:
    """One more fact about a service: that it is armed, that a run is going on, when its last drill was.

    ``number``: that of a scheduled rollback.
    """

    word: str
    told: str
    tone: Tone = "plain"
    record: str = ""
    number: str = ""


@frozen
class Choice:
    """The target of a rollback now. ``to`` is empty where none can be done; ``why`` says why not."""

    leaves: str
    to: str
    why: str = ""
    warnings: tuple[str, ...] = ()


@frozen
class ServiceView:
    """One service in one environment, now. ``choice`` is None where the hosts were not asked."""

    environment: str
    service: str
    url: str
    health: ServiceHealth
    live: tuple[LiveRelease, ...] = ()
    banner: Banner | None = None
    holds: tuple[HoldView, ...] = ()
    notices: tuple[Notice, ...] = ()
    hosts: tuple[HostRow, ...] = ()
    choice: Choice | None = None
    last: str = ""

    @property
    def command(self) -> str:
        """The command that rolls back the release on this page, and refuses a newer one."""
        words = ["rollback-ops", "rollback", self.environment, "--service", self.service]
        if len(self.live) == 1:
            words += ["--if-current", self.live[0].release]
        return shlex.join(words)


@frozen
class Now:
    """The screen "Now". ``problems``: sources that could not be read, and the parts that the page lacks for it."""

    services: tuple[ServiceView, ...]
    at: float
    problems: tuple[str, ...] = ()


@frozen
class HistoryEntry:
    """One line of the history: a rollback, or a deployment (which has no ``record``). Durations in seconds."""

    at: float
    kind: Literal["rollback", "deployment", "drill", "dry run"]
    environment: str
    service: str
    origin: str
    target: str
    outcome: str
    tone: Tone
    trigger: str = ""
    seconds: float | None = None
    downtime: float | None = None
    by: str = ""
    reason: str = ""
    record: str = ""
    run_url: str = ""


@frozen
class Filter:
    """The filter of the history. An empty field matches all entries."""

    environment: str = ""
    service: str = ""
    trigger: str = ""
    outcome: str = ""

    @property
    def given(self) -> bool:
        return self != Filter()

    def takes(self, entry: HistoryEntry) -> bool:
        wanted = (self.environment, self.service, self.trigger, self.outcome)
        has = (entry.environment, entry.service, entry.trigger, entry.outcome)
        return all(one in ("", other) for one, other in zip(wanted, has, strict=True))


@frozen
class HistoryView:
    """The screen "History". ``choices``: the values of each field of ``Filter`` that some entry has.

    ``left_out``: how many older entries the page does not show.
    """

    entries: tuple[HistoryEntry, ...]
    choices: Mapping[str, Sequence[str]]
    chosen: Filter = Filter()
    left_out: int = 0

    @property
    def newest(self) -> tuple[HistoryEntry, ...]:
        """The entries that a page shows at once."""
        return self.entries[:_AT_ONCE]

    @property
    def older(self) -> Sequence[tuple[HistoryEntry, ...]]:
        """The other entries, in parts that a browser lays out when they are looked at."""
        return [self.entries[n : n + _PART] for n in range(_AT_ONCE, len(self.entries), _PART)]

    def number(self, field: str, value: str) -> int:
        """Return the number of a value among the choices of its field, from 1. Style sheets select by it."""
        return self.choices[field].index(value) + 1


@frozen
class RecordView:
    """The screen "Record": the record, and values derived from it. ``groups``: hosts that ended alike."""

    record: Record
    tone: Tone
    title: str
    status: str
    next_steps: tuple[str, ...]
    verification: str
    verification_tone: Tone
    times: tuple[StepDuration, ...]
    groups: tuple[tuple[HostRecord, ...], ...]


@frozen
class NumbersView:
    """The screen "Numbers": statistics by the title of their group, then by their name in it.

    ``figures``: the name of a figure, its value, and what it cannot see.
    """

    total: Statistics
    groups: Mapping[str, Mapping[str, Statistics]] = field(default_factory=dict)
    figures: tuple[tuple[str, str, str], ...] = ()
