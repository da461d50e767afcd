"""Results as people read them: lines, each with a style that a terminal may show. Pure."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from rollback_ops.cli.output import groups, waves
from rollback_ops.core import summary
from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import CheckResult, Verification
from rollback_ops.core.model import InstallOutcome, Note, StepReport, UninstallOutcome
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.rollout import named

if TYPE_CHECKING:
    from rollback_ops.commands.mark import Marked
    from rollback_ops.commands.seal import Seal
    from rollback_ops.core.fleet_plan import FleetPlan
    from rollback_ops.core.record import HostRecord, Record
    from rollback_ops.core.shard_jobs import RegionJobs

Style = Literal["", "good", "bad", "warning", "faint", "strong"]


@frozen
class Line:
    text: str
    style: Style = ""


# Releases that were not chosen, shown by name.
_FEW_REJECTED = 3
_HEADLINES: dict[str, tuple[str, Style]] = {
    "succeeded": ("✓ rolled back", "good"),
    "nothing_to_do": ("✓ nothing to do", "good"),
    "verification_failed": ("✗ rolled back, and the verification failed", "bad"),
    "health_unknown": ("? rolled back, and the health of the service is unknown", "bad"),
    "restored": ("✗ failed, and put back on the release that it started from", "bad"),
    "failed": ("✗ failed: a person is needed now", "bad"),
    "refused": ("✗ refused: nothing was changed", "bad"),
    "partial": ("✗ the hosts ended differently", "bad"),
    "superseded": ("✗ taken over by somebody else: nothing of theirs was undone", "bad"),
    "cancelled": ("✗ stopped by a signal", "bad"),
}
_MARKS: dict[str, tuple[str, Style]] = {"ok": ("✓", "good"), "warning": ("!", "warning"), "failed": ("✗", "bad")}
_HEALTH: dict[str, tuple[str, Style]] = {"healthy": ("✓", "good"), "unhealthy": ("✗", "bad"), "unknown": ("?", "bad")}
_VERDICTS: dict[str, tuple[str, Style]] = {"passed": ("✓", "good"), "failed": ("✗", "bad"), "unknown": ("?", "bad")}


def result(record: Record) -> Iterator[Line]:
    """Show the result of a rollback."""
    headline, style = _HEADLINES[record.outcome]
    if record.dry_run and record.outcome in ("nothing_to_do", "partial") and record.to.label:
        headline, style = "DRY RUN, nothing was changed. A rollback would go", "warning"
    way = _way(record)
    yield Line(f"{headline}{way}  ({record.environment}, {record.duration_seconds:.1f} s)", style)
    yield from details(record)
    yield from _times(record)


def _way(record: Record) -> str:
    """Show from which release to which; where the first one is live again, which one was tried."""
    origin = record.from_.label or "nothing"
    if not record.to.label:
        return ""
    if record.to.label == origin:
        return f": {origin}"
    return (
        f": {origin} (tried {record.to.label})"
        if record.outcome in ("restored", "superseded")
        else f": {origin} → {record.to.label}"
    )


def _times(record: Record) -> Iterator[Line]:
    """Show the slowest of each step against its target."""
    took = summary.step_durations(record)
    if took:
        yield Line("  " + ", ".join(f"{each.name} {each.seconds:.2f} s" for each in took), "faint")
    for each in took:
        if each.seconds > each.target:
            where = f" on {each.host}" if each.host else ""
            told = f"{each.name} took {each.seconds:.1f} s{where}, over its target of {each.target:.0f} s"
            yield Line(f"  ! {told}", "warning")


def guarded(record: Record) -> Iterator[Line]:
    """Show the result of a guard: healthy, or the outcome of the rollback."""
    if record.outcome == "nothing_to_do":
        told = record.hosts[0].detail if record.hosts else "nothing to do"
        what = record.service if record.services else record.from_.label
        yield Line(f"✓ {told}: {what}  ({record.environment}, {record.duration_seconds:.1f} s)", "good")
        yield from (Line(f"  {summary.evidence_summary(each)}") for each in record.evidence)
        return
    if record.outcome == "succeeded":
        what = record.from_.label or record.service
        yield Line(f"✗ {what} was unhealthy and was rolled back ({record.trigger})", "bad")
    yield from result(record)


def details(record: Record) -> Iterator[Line]:
    yield from (Line(f"  {told}") for told in (*waves.strategy(record), *groups.order(record)))
    yield from (Line(f"  {told}") for told in summary.services_told(record))
    yield from (Line(f"  {told}", "faint") for told in waves.waves(record))
    for group in agreeing(record.hosts, lambda host: (host.service, host.outcome, host.detail.replace(host.host, ""))):
        yield from _host(group, alone=len(record.hosts) == 1, would=record.dry_run)
    yield from (Line(f"  {summary.evidence_summary(each)}") for each in record.evidence)
    yield from (Line(f"  {told}", "bad") for told in (*waves.ending(record), *groups.ending(record)))
    yield from _not_chosen(record)
    if hold := record.hold:
        yield Line(f"  held until {hold.until[:16].replace('T', ' ')} UTC: {summary.held(hold)}")
    names = {host.host for host in record.hosts}
    for warnings in agreeing(record.warnings, lambda warning: _without_host(names, warning)):
        same = f"{len(warnings)} hosts{_without_host(names, warnings[0])}"
        yield Line(f"  ! {same if len(warnings) > 1 else warnings[0]}", "warning")


def _not_chosen(record: Record) -> Iterator[Line]:
    """Show why other releases were not chosen: of a rollback that was done, only the first few by name."""
    rejected = record.not_chosen
    shown = len(rejected) if record.dry_run or len(rejected) <= _FEW_REJECTED + 1 else _FEW_REJECTED
    yield from (Line(f"  not {each.release}: {each.why}", "faint") for each in rejected[:shown])
    if others := rejected[shown:]:
        reasons = Counter(each.why for each in others)
        told = "; ".join(f"{why} ({count})" if len(reasons) > 1 else why for why, count in reasons.most_common(3))
        more = "; …" if len(reasons) > 3 else ""
        yield Line(f"  {len(others)} others: {told}{more}: `rollback-ops list {record.environment}` says why", "faint")


def _without_host(names: Collection[str], warning: str) -> str:
    """Return a warning about one host without its name, so that it can be compared with those of others."""
    host, colon, _ = warning.partition(": ")
    return warning.removeprefix(host) if colon and host in names else warning


def _host(hosts: Sequence[HostRecord], *, alone: bool, would: bool) -> Iterator[Line]:
    """Show one host, or many that ended in the same way."""
    host, name = hosts[0], hosts[0].label if len(hosts) == 1 else _several(hosts)
    times = sorted(host.downtime_seconds for host in hosts if host.downtime_seconds is not None)
    spread = " to ".join(dict.fromkeys(f"{seconds:.2f}" for seconds in (*times[:1], *times[-1:])))
    down = f", down for {spread} s" if times else ""
    told = f": {host.detail}" if host.detail else ""
    if not alone or told or down:
        style: Style = "" if host.outcome in ("succeeded", "nothing_to_do") else "bad"
        # In a dry run, a host without any detail is one that would be switched.
        outcome = "would be switched" if would and style == told == "" else host.outcome.replace("_", " ")
        yield Line(f"  {name}: {outcome}{down}{told}", style)


def _several(hosts: Sequence[HostRecord]) -> str:
    return f"{hosts[0].service} on {len(hosts)} hosts" if hosts[0].service else f"{len(hosts)} hosts"


def shards(plan: FleetPlan, jobs: Sequence[RegionJobs]) -> Iterator[Line]:
    """Show the shards of a plan that are carried out now, region by region."""
    sizes = {shard.number: len(shard.hosts) for shard in plan.shards}
    hosts = sum(sizes.values())
    yield Line(f"✓ {plan.origin or 'nothing'} → {plan.target}: {hosts} hosts in {len(plan.shards)} shards", "good")
    yield from (Line(f"  {told}") for told in plan.rollout.told)
    for region in jobs:
        where = f"{region.region}, " if region.region else ""
        stages = (("unhealthy", region.unhealthy), ("canary", region.canary), ("rest", region.rest))
        for stage, numbers in ((stage, numbers) for stage, numbers in stages if numbers):
            each = ", ".join(str(sizes[number]) for number in numbers[:5]) + (", …" if len(numbers) > 5 else "")
            at_once = len(numbers) if stage == "unhealthy" else min(len(numbers), region.at_once)
            yield Line(
                f"  {where}{stage}: {len(numbers)} shard{'s' * (len(numbers) > 1)} of {each} hosts, {at_once} at a time"
            )
    if plan.lost:
        yield Line(f"  unreachable: {named(plan.lost)}", "bad")


def count(phase: str, done: int, hosts: int) -> Line:
    return Line(f"  {phase} {done} of {hosts}", "faint")


def step(host: str, report: StepReport) -> Line:
    mark, style = _MARKS[report.outcome]
    detail = f"  {report.detail}" if report.detail else ""
    return Line(f"  {mark} {host}  {report.name:<7} {report.seconds:5.2f} s{detail}", style)


def verification(host: str, found: Verification) -> Iterator[Line]:
    for check in found.checks:
        yield _check(host, check)


def log(host: str, lines: Iterable[str]) -> Iterator[Line]:
    """Show the last lines that a service wrote."""
    return (Line(f"    {host} | {line}", "faint") for line in lines)


def first_aid(record: Record, commands: Sequence[str], *, local: bool) -> Iterator[Line]:
    """Show what a person should try first, on the hosts where nothing runs."""
    down = [host.host for host in record.hosts if host.outcome in ("failed", "unknown")]
    if not down:
        return
    yield Line("What to try first:", "strong")
    for host in down:
        for command in commands:
            yield Line(f"  {command}" if local else f"  {_login(host)} {shlex.quote(command)}")
    group = f" --group {record.service}" if record.services else ""
    yield Line(f"  rollback-ops list {record.environment}{group}")
    if not group:
        yield Line(f"  rollback-ops rollback {record.environment} --backup NAME --reason TEXT")


def top(lines: Iterable[Line], first_aid: Iterable[Line]) -> list[str]:
    """Return the lines that matter most, where there is little room: no faint ones, and what to do now."""
    return [line.text for line in (*[line for line in lines if line.style != "faint"][:8], *[*first_aid][:6])]


def _login(host: str) -> str:
    """Return the ``ssh`` command for a host as the settings spell it."""
    name, _, port = host.rpartition(":") if re.fullmatch(r".*[^:]:\d+|.*\]:\d+", host) else (host, "", "")
    return f"ssh {f'-p {port} ' if port else ''}{name.replace('[', '').replace(']', '')}"


def _check(host: str, check: CheckResult) -> Line:
    mark, style = _VERDICTS[check.finding.verdict]
    detail = f"  {check.finding.detail}" if check.finding.detail else ""
    return Line(f"  {mark} {host}  {check.name:<7} {check.seconds:5.2f} s{detail}", style)


def explained(error: RollbackOpsError) -> Iterator[Line]:
    yield Line(f"error: {error.message}", "bad")
    if error.hint:
        yield Line(f"  {error.hint}")


def verified(host: str, found: Verification, release: str = "", mark: Note | None = None) -> Iterator[Line]:
    """Show the result of a verification: the verdict, the mark that the live release has now, and each check."""
    sign, style = _HEALTH[found.verdict]
    what = f"{release} on {host}" if release else host
    marked = f", marked {mark}" if mark else ""
    yield Line(f"{sign} {found.verdict}: {what}{marked}  ({found.seconds:.1f} s)", style)
    if not found.reachable:
        yield Line(f"  {host} does not answer, so its checks show nothing", "warning")
    yield from verification(host, found)


def checked(record: Record) -> Iterator[Line]:
    """Show the result of a check: could a rollback be done now?"""
    if record.exit_code == 0 and record.to.label:
        yield Line(f"✓ a rollback can be done: {record.from_.label or 'nothing'} → {record.to.label}", "good")
    elif record.outcome == "partial" and record.to.label:
        yield Line(_in_part(record), "warning")
    else:
        yield Line("✗ a rollback cannot be done now", "bad")
    yield from details(record)


def _in_part(record: Record) -> str:
    """Return the headline for a check in which some hosts could not be reached."""
    would = [host for host in record.hosts if host.outcome == "nothing_to_do" and not host.detail]
    if not would:
        return f"! a rollback would change nothing now: the hosts that answer run {record.to.label} already"
    way = f"{record.from_.label or 'nothing'} → {record.to.label}"
    return f"! a rollback can be done on {len(would)} of {len(record.hosts)} hosts: {way}"


def seals(seals: Mapping[str, Seal]) -> Iterator[Line]:
    for host, seal in seals.items():
        yield Line(f"✓ {host}  {seal.release} sealed: {seal.files} files", "good")


def marks(done: Marked) -> Iterator[Line]:
    for host in done.hosts:
        yield Line(f"✓ {host}  {done.release}: {'no mark' if done.opinion == 'clear' else done.opinion}", "good")


def installation(path: str, hosts: Mapping[str, InstallOutcome]) -> Iterator[Line]:
    for host, how in hosts.items():
        yield Line(f"✓ {host}  {path}: {how}", "good")


def removal(path: str, hosts: Mapping[str, UninstallOutcome]) -> Iterator[Line]:
    for host, how in hosts.items():
        kept = "" if how == "purged" else ". Marks, seals, holds and the journal are kept; --purge removes them"
        what = "was not there" if how == "absent" else "removed"
        more = ", with all that was stored for the service" if how == "purged" else ""
        yield Line(f"✓ {host}  {path}: {what}{more}{kept}", "good")
    if hosts:
        yield Line("  A restricted key on the host no longer works: remove its line from ~/.ssh/authorized_keys,")
        yield Line(f'  the one with command="{path} --forced".')


def unreadable(entries: int) -> Iterator[Line]:
    if entries:
        why = "they are damaged, or a newer version of rollback-ops wrote them"
        yield Line(f"! history entries that could not be read: {entries} ({why})", "warning")


def lost(errors: Mapping[str, RollbackOpsError]) -> Iterator[Line]:
    for host, error in errors.items():
        yield Line(f"✗ {host}  {error.without(host)}", "bad")


def decision(found: Plan | NothingToDo | Refusal) -> Iterator[Line]:
    match found:
        case Plan(target=target, warnings=warnings):
            yield Line(f"✓ a rollback would go to {target}", "good")
            yield from (Line(f"  ! {warning}", "warning") for warning in warnings)
        case NothingToDo(why=why):
            yield Line(f"✓ nothing to do: {why}", "good")
        case Refusal(why=why, hint=hint):
            yield from (Line(f"✗ {line}", "bad") for line in why.splitlines())
            if hint:
                yield Line(f"  {hint}")
