"""Results as people read them: lines, each with a style that a terminal may show. Pure."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from rollback_ops.cli.output import groups, waves
from rollback_ops.core import summary
from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.fleet_plan import STAGES, FleetPlan
from rollback_ops.core.health import CheckResult, Verification
from rollback_ops.core.model import InstallOutcome, Note, Release, StepReport, Survey, UninstallOutcome
from rollback_ops.core.order import Ranking, live_at
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.rollout import named
from rollback_ops.core.run import run_time
from rollback_ops.core.trust import remedy
from rollback_ops.core.versions import Versions

if TYPE_CHECKING:
    from rollback_ops.commands.mark import Marked
    from rollback_ops.commands.seal import Seal
    from rollback_ops.core.record import HostRecord, Record
    from rollback_ops.core.statistics import Statistics

Style = Literal["", "good", "bad", "warning", "faint", "strong"]


@dataclass(frozen=True, slots=True)
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
    """Show the result of a guard: healthy, or what became of the rollback."""
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
    for warnings in agreeing(record.warnings, lambda warning: _without_host(record, warning)):
        same = f"{len(warnings)} hosts{_without_host(record, warnings[0])}"
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


def _without_host(record: Record, warning: str) -> str:
    """Return a warning about one host without its name, so that it can be compared with those of others."""
    host = next((host.host for host in record.hosts if warning.startswith(f"{host.host}: ")), "")
    return warning.removeprefix(host)


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


def shards(plan: FleetPlan) -> Iterator[Line]:
    """Show the stages of a plan in shards."""
    hosts = sum(len(shard.hosts) for shard in plan.shards)
    yield Line(f"✓ {plan.origin or 'nothing'} → {plan.target}: {hosts} hosts in {len(plan.shards)} shards", "good")
    yield from (Line(f"  {told}") for told in plan.told)
    for stage in STAGES:
        if found := plan.stage(stage):
            each = ", ".join(str(len(shard.hosts)) for shard in found[:5]) + (", …" if len(found) > 5 else "")
            yield Line(
                f"  {stage}: {len(found)} shards ({each} hosts), {min(len(found), plan.at_once[stage])} at a time"
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
    """Say what a rollback would do with the hosts that are there."""
    would = [host for host in record.hosts if host.outcome == "nothing_to_do" and not host.detail]
    if not would:
        return f"! a rollback would change nothing now: the hosts that are there run {record.to.label} already"
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
        yield Line("  A restricted key there is of no use any more: remove its line from ~/.ssh/authorized_keys,")
        yield Line(f'  the one with command="{path} --forced".')


def lost(errors: Mapping[str, RollbackOpsError]) -> Iterator[Line]:
    for host, error in errors.items():
        yield Line(f"✗ {host}  {error.without(host)}", "bad")


# --- list, check -----------------------------------------------------------------------------------------


def alike(surveys: Iterable[Survey]) -> list[list[Survey]]:
    """Return the surveys in groups: many hosts with the same releases and the same live release are one group."""

    def told(survey: Survey) -> tuple[object, ...]:
        facts = tuple((r.name, r.revision, r.problem, r.mark, r.sealed) for r in survey.releases)
        trouble = (survey.lease, survey.interrupted, survey.blockers, survey.warnings, survey.deploying)
        return survey.live, facts, trouble

    return agreeing(surveys, lambda survey: repr(told(survey)))


def live(survey: Survey, hosts: int = 1) -> Iterator[Line]:
    """Show what is live on a host, and what prevents a change there. ``hosts`` that agree are shown as one."""
    now = survey.live.name if survey.live.state == "release" else f"{survey.live.state} {survey.live.path}".strip()
    yield Line(f"{survey.host if hosts == 1 else f'{hosts} hosts'}: live is {now}", "strong")
    for trouble in (*survey.blockers, *survey.warnings, *survey.deploying):
        yield Line(f"  ! {trouble}", "warning")
    if lease := survey.lease:
        yield Line(f"  ! locked by {lease.owner or 'another run'} since {lease.since} (run {lease.run})", "warning")
    if begun := survey.interrupted:
        told = f"a rollback to {begun.target} was interrupted (run {begun.run}): `resume` finishes it"
        yield Line(f"  ! {told}", "warning")


_RELEASE_COLUMNS = ("", "RELEASE", "AGE", "SIZE", "REVISION", "MARKS", "")


def releases(
    survey: Survey,
    decision: Plan | NothingToDo | Refusal,
    ranking: Ranking,
    now: float,
    versions: Versions | None = None,
) -> tuple[Sequence[str], list[list[str]]]:
    """Return the table of a host's releases, newest first: its columns and its rows.

    Decision and ranking call releases by their labels of all hosts (``versions``).
    """
    labels = versions or Versions(())
    target = decision.target_on(survey.host) if isinstance(decision, Plan) else ""
    why = {} if isinstance(decision, NothingToDo) else {r.release: r.why for r in decision.rejected}
    found = {labels.label(survey.host, release.name): release for release in survey.releases}
    return _RELEASE_COLUMNS, [
        [
            "●" if r.name == survey.live.name else "→" if r.name == target else "",
            r.name,
            age(now - deployed) if (deployed := live_at(r) or r.modified) else "",
            size(r.size_kib),
            r.revision[:12],
            ", ".join(filter(None, (_marks(r, now), "sealed" if r.sealed else "", _state(r)))),
            "a rollback would choose this one"
            if r.name == target
            else _why_not(r, why.get(labels.label(survey.host, r.name), "")),
        ]
        for r in map(found.__getitem__, ranking.newest_first(found))
    ]


def _state(release: Release) -> str:
    if not release.problem:
        return ""
    return "untrusted" if remedy(release.problem) else "incomplete"


def _why_not(release: Release, why: str) -> str:
    """Show why a release is not chosen, what to do when it is not trusted, and the reason of its mark."""
    if more := remedy(release.problem):
        return f"{why or release.problem}: {more}"
    if release.mark == "bad":
        return ": ".join(filter(None, (why or "it is marked bad", release.marked_why)))
    return f"{why} ({release.left_why})" if why and release.was_left and release.left_why else why


def _marks(release: Release, now: float) -> str:
    """Show the marks, each with its age, which comes from the id of the run that set it."""
    marks = [(release.mark, release.marked_by), ("left" if release.was_left else "", release.left_by)]
    return ", ".join(f"{mark}{_ago(run, now)}" for mark, run in marks if mark)


def _ago(run: str, now: float) -> str:
    moment = run_time(run)
    return f" ({age(now - moment)})" if moment else ""


def listed(
    surveys: Iterable[Survey],
    found: Plan | NothingToDo | Refusal,
    ranking: Ranking,
    now: float,
    versions: Versions | None = None,
) -> Iterator[Line]:
    """Show the hosts' releases where there is no room for tables."""
    for survey, *others in alike(surveys):
        yield from live(survey, 1 + len(others))
        yield from (
            Line("  ".join(filter(None, cells))) for cells in releases(survey, found, ranking, now, versions)[1]
        )
    yield ordered(ranking)
    yield from decision(found)


def ordered(ranking: Ranking) -> Line:
    """Show which order the releases have, and why."""
    return Line(f"  order: {ranking.order}, newest first ({ranking.why})", "faint")


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


def age(seconds: float) -> str:
    """Show a duration in seconds in its largest useful unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def size(kib: int | None) -> str:
    if kib is None:
        return ""
    amount = float(kib)
    for unit in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


# --- history ---------------------------------------------------------------------------------------------

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
    """Show what records say of DORA's figures, and what they cannot see."""
    if not found.failed_deployments:
        return
    yield Line("deployments (DORA):", "strong")
    yield Line(f"  change fail rate     {found.failed_deployments} deployments were left by a rollback")
    yield Line(
        f"  {'':<20} not seen: how many there were (`outlook` knows), and failures that were fixed forward", "faint"
    )
    if spread := found.recovery:
        told = (f"{word} {age(seconds)}" for word, seconds in asdict(spread).items() if word != "mean")
        yield Line(f"  recovery time        from the deployment until the rollback was verified: {', '.join(told)}")
        yield Line(f"  {'':<20} not seen: when users felt it, and outages without a deployment", "faint")


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
