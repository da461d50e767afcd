"""The specification's decision matrix ("Rollback Decision Matrix"), as rules about what was observed. Pure.

Each rule holds, does not hold, or is unknown (None). The rows are looked at in their order; the first one with a rule
that holds is the advice. Text of logs takes part in no rule but the two that count critical lines and warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal

from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Verification
from rollback_ops.core.model import AutomaticTrigger
from rollback_ops.core.record import EvidenceRecord

Row = Literal["emergency", "automatic", "recommended", "fix_forward"]
Decision = Literal["emergency", "automatic", "recommended", "fix_forward", "nothing", "unknown"]

ROWS: tuple[Row, ...] = ("emergency", "automatic", "recommended", "fix_forward")
CALLS_FOR_ROLLBACK: tuple[Decision, ...] = ("emergency", "automatic", "recommended")
# The reasons of the matrix that only a person can know.
ONLY_PEOPLE_KNOW = (
    "emergency: risk to data, a security incident, a critical bug that affects all users",
    "recommended: reports of users, a memory leak, a vulnerability",
    "fix forward: a cosmetic fault, a report of a single user",
)
# Seconds. A release that has been live for longer was probably not broken by its deployment.
_LONG_LIVE = 86_400.0


@frozen
class Observation:
    """The observations. ``found``: the verification of each host; ``lost``: why other hosts could not be asked.

    ``trigger`` and ``failures``: the diagnosis, where a host is unhealthy. ``degrading``: the checks whose metric is a
    latency. ``marked_bad``: why the live release is marked bad. ``age``: seconds since it became live; None: unknown.
    ``warnings``: how many log lines are warnings or errors.
    """

    found: Mapping[str, Verification]
    lost: Mapping[str, str] = field(default_factory=dict)
    trigger: AutomaticTrigger | None = None
    failures: Sequence[str] = ()
    evidence: Sequence[EvidenceRecord] = ()
    degrading: frozenset[str] = frozenset()
    marked_bad: Sequence[str] = ()
    age: float | None = None
    warnings: int = 0


@frozen
class Rule:
    """A rule of the matrix. ``holds``: None where it could not be found out. ``because``: what shows it."""

    name: str
    row: Row
    says: str
    holds: bool | None
    because: tuple[str, ...] = ()


@frozen
class Advice:
    """``rules``: all of them, in the order in which they are looked at. ``cautions`` change no decision."""

    decision: Decision
    rules: tuple[Rule, ...]
    cautions: tuple[str, ...] = ()


def advise(seen: Observation) -> Advice:
    """Apply the matrix. An unknown never recommends a rollback, and never counts as healthy."""
    rules = (_down(seen), *_failures(seen), *_metrics(seen), _bad(seen), _warnings(seen))
    held = [row for row in ROWS if any(rule.holds and rule.row == row for rule in rules)]
    in_doubt = any(rule.holds is None for rule in rules if rule.row != "fix_forward")
    if held and (held[0] != "fix_forward" or not in_doubt):
        return Advice(held[0], rules, _cautions(seen))
    return Advice("unknown" if in_doubt else "nothing", rules, _cautions(seen))


def _down(seen: Observation) -> Rule:
    down = [host for host, found in seen.found.items() if found.down]
    everywhere = bool(down) and len(down) == len(seen.found) and not seen.lost
    unknown = bool(seen.lost) and len(down) == len(seen.found)
    holds = None if unknown else everywhere
    return Rule("service-down", "emergency", "the service is down on all hosts", holds, tuple(down))


# Each with the trigger of its rollback, as ``guard`` would name it.
_FAILURES: tuple[tuple[str, AutomaticTrigger, str], ...] = (
    ("process-crash", "process-crash", "a process crashes, or does not run"),
    ("database-unreachable", "database-unreachable", "the database cannot be reached"),
    ("critical-log-line", "log-error", "the log has a critical line"),
    ("configuration-invalid", "config-invalid", "the configuration is not valid"),
)


def _failures(seen: Observation) -> tuple[Rule, ...]:
    unknown = bool(seen.lost) or any(each.verdict == "unknown" for each in seen.found.values())
    nothing_seen: bool | None = None if unknown else False
    failed = bool(seen.failures) and seen.trigger is not None
    specific = tuple(
        Rule(
            name,
            "automatic",
            says,
            True if failed and seen.trigger == trigger else nothing_seen,
            tuple(seen.failures) if seen.trigger == trigger else (),
        )
        for name, trigger, says in _FAILURES
    )
    why = seen.failures or (*(f"{host}: {told}" for host, told in seen.lost.items()), *_unknown(seen))
    return (
        *specific,
        Rule("check-fails", "automatic", "the verification fails", True if failed else nothing_seen, tuple(why)),
    )


def _unknown(seen: Observation) -> list[str]:
    return [f"{host}: its health is unknown" for host, each in seen.found.items() if each.verdict == "unknown"]


def _metrics(seen: Observation) -> tuple[Rule, ...]:
    errors = [each for each in seen.evidence if each.check not in seen.degrading]
    slower = [each for each in seen.evidence if each.check in seen.degrading]
    return (
        _metric("more-errors", "automatic", "a metric shows more errors than before", errors),
        _metric("slower", "recommended", "a metric shows that it is slower than before", slower),
    )


def _metric(name: str, row: Row, says: str, found: Sequence[EvidenceRecord]) -> Rule:
    """Return the rule of a metric. An undecided one (too little traffic) is neither evidence nor a doubt."""
    worse = tuple(f"{each.check}: {each.detail}" for each in found if each.verdict == "worse")
    return Rule(name, row, says, bool(worse), worse or tuple(f"{each.check}: {each.detail}" for each in found))


def _bad(seen: Observation) -> Rule:
    says = "the live release is marked bad"
    return Rule("marked-bad", "recommended", says, bool(seen.marked_bad), tuple(seen.marked_bad))


def _warnings(seen: Observation) -> Rule:
    well = all(found.healthy for found in seen.found.values())
    told = (f"{seen.warnings} lines of the last log lines are warnings or errors",) if seen.warnings else ()
    return Rule("only-warnings", "fix_forward", "the log has only warnings", well and bool(seen.warnings), told)


def _cautions(seen: Observation) -> tuple[str, ...]:
    if seen.age is None or seen.age < _LONG_LIVE:
        return ()
    days = seen.age / 86_400
    return (f"the release has been live for {days:.0f} days: the fault may have another cause than its deployment",)
