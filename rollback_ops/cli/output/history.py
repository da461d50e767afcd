"""Earlier rollbacks and their numbers, as `history` shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollback_ops.commands.trace import Trace
    from rollback_ops.core.journal import RunEvent
    from rollback_ops.core.record import Record
    from rollback_ops.core.statistics import Statistics
from rollback_ops.cli.output.text import Line, result
from rollback_ops.core.summary import RECOVERY_UNSEEN, fail_rate, fail_rate_unseen
from rollback_ops.core.text import age

_HISTORY_COLUMNS = ("TIME", "ENV", "FROM", "TO", "OUTCOME", "SECONDS", "HOW", "BY", "REASON")


def history(records: Iterable[Record]) -> tuple[Sequence[str], list[list[str]]]:
    """Return the table of records: its columns and its rows."""
    return _HISTORY_COLUMNS, [
        [
            datetime.fromisoformat(r.started_at).strftime("%Y-%m-%d %H:%M:%S"),
            r.environment,
            r.from_.label or "",
            r.to.label or "",
            r.outcome.replace("_", " "),
            f"{r.duration_seconds:.1f}",
            _how(r),
            r.actor,
            r.reason[:60],
        ]
        for r in records
    ]


def _how(record: Record) -> str:
    """Say of which group a rollback was, how many of its waves began, and in which regions; empty for the others."""
    begun = [wave for wave in record.waves if wave.outcome != "not_begun"]
    regions = dict.fromkeys(host.region for host in record.hosts if host.region)
    parts = [f"{record.service} of group {record.group.name}"] if record.group else []
    parts += [f"{len(begun)} of {len(record.waves)} waves"] if record.waves else []
    return ", ".join([*parts, *([f"in {'+'.join(regions)}"] if regions else [])])


def stats(found: Statistics) -> Iterator[Line]:
    if found.total:
        yield from _rate("all", found)
    else:
        yield Line("No rollback has changed a host yet.")
    groups = {"environment": found.by_environment, "trigger": found.by_trigger, "month": found.by_month}
    for title, group in groups.items():
        yield from [Line(f"by {title}:", "strong")] if group else []
        for name, each in group.items():
            yield from _rate(name, each)
    if found.drills:
        yield Line("drills, counted separately:", "strong")
        yield from _rate("all", found.drills)
    yield from _dora(found)
    if found.alert:
        few = "" if found.sure else f"; {found.total} are few: it may be chance (at most {found.at_most:.1%})"
        yield Line(f"ALERT: only {found.success_rate:.1%} of the rollbacks succeeded, fewer than 90 %{few}", "bad")


def _dora(found: Statistics) -> Iterator[Line]:
    """Show what is known of DORA's figures, and what that cannot see."""
    if not (found.failed_deployments or found.change_failures):
        return
    yield Line("deployments (DORA):", "strong")
    yield Line(f"  change fail rate     {fail_rate(found)}")
    yield Line(f"  {'':<20} not seen: {fail_rate_unseen(found)}", "faint")
    if spread := found.recovery:
        told = (f"{word} {age(seconds)}" for word, seconds in asdict(spread).items() if word != "mean")
        yield Line(f"  recovery time        from the deployment until the rollback was verified: {', '.join(told)}")
        yield Line(f"  {'':<20} not seen: {RECOVERY_UNSEEN}", "faint")


def trace(found: Trace) -> Iterator[Line]:
    """Show what the hosts keep of a run: its record, its events on each host, and the service's log since then."""
    if found.record:
        yield from result(found.record)
    for host in found.hosts:
        if host.events:
            yield Line(f"{host.host}:", "strong")
        yield from (Line(f"  {_event(event)}") for event in host.events)
        if host.left_out:
            yield Line(f"  {host.left_out} more events are left out", "faint")
        if host.log:
            yield Line("  the log of the service since then:", "faint")
        yield from (Line(f"    {line}") for line in host.log)


def _event(event: RunEvent) -> str:
    took = "" if event.seconds is None else f"{event.seconds:.2f} s"
    what = f"{event.what} {event.about}".rstrip()
    return f"{event.at:<20}  {what:<18} {event.outcome:<10} {took:>8}  {event.detail}".rstrip()


def _rate(name: str, found: Statistics) -> Iterator[Line]:
    """Show a success rate with its bound, and below it the durations."""
    proven = f"with 95 % confidence at least {found.at_least:.1%}"
    yield Line(f"  {name:<20} {found.succeeded} of {found.total} succeeded ({found.success_rate:.1%}, {proven})")
    told = [
        f"{word}: median {each.median:.2f} s, p95 {each.p95:.2f} s, worst {each.worst:.2f} s"
        for word, each in {"duration": found.duration, "downtime": found.downtime, "healthy": found.healthy}.items()
        if each
    ]
    if told:
        yield Line(f"  {'':<20} {'; '.join(told)}", "faint")
