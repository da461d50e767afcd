"""The screen "Now": the live releases, since when, by whom, and whether they are healthy. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.hold import about, merged, standing
from rollback_ops.core.model import Release, ServiceId, Survey
from rollback_ops.core.order import live_at
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.run import run_time
from rollback_ops.web import moments
from rollback_ops.web.history import tone_of
from rollback_ops.web.view import (
    Banner,
    Choice,
    HoldView,
    HostRow,
    LiveRelease,
    Notice,
    Now,
    ServiceHealth,
    ServiceView,
    Tone,
)

if TYPE_CHECKING:
    from rollback_ops.commands.dashboard import ObservedService, Snapshot
    from rollback_ops.commands.history import History
    from rollback_ops.core.record import Record
    from rollback_ops.core.schedule import ScheduleEntry

_RUNS = ("running", "finished")
_DOWN = ("failed", "stopped", "missing")
_MOST_NAMED = 3


def now_of(snapshot: Snapshot) -> Now:
    """Return the screen, from the answers of the hosts, or, where none was asked, from the last records."""
    records = snapshot.history.records
    if snapshot.observed:
        services = tuple(_service(each, snapshot) for each in snapshot.observed)
    else:
        abouts = sorted({record.about for record in records}, key=lambda a: (a.environment, a.service))
        services = tuple(_recorded(each, snapshot) for each in abouts)
    return Now(services, snapshot.now, tuple(_problems(snapshot.history)))


def _problems(history: History) -> Iterator[str]:
    for host, error in history.lost.items():
        yield f"{host}: its journal could not be read ({error.without(host)}), so rollbacks may be missing here"
    if history.unreadable:
        yield (
            f"{history.unreadable} entries of the history could not be read: "
            "they are damaged, or a newer version of rollback-ops wrote them"
        )


def _of(records: Iterable[Record], wanted: ServiceId) -> list[Record]:
    return [record for record in records if record.about == wanted]


def _service(found: ObservedService, snapshot: Snapshot) -> ServiceView:
    surveys, records, now = list(found.surveys.values()), _of(snapshot.history.records, found.about), snapshot.now
    last = _in_force(surveys, records)
    return ServiceView(
        environment=found.about.environment,
        service=found.about.service,
        url=found.url,
        health=_health(found),
        live=tuple(_live(surveys, last)),
        banner=_banner(last),
        holds=tuple(
            HoldView(about(hold), hold.reason, hold.by, hold.since, hold.until, hold.readable)
            for hold in standing(merged(surveys), now)
        ),
        notices=(*_at_work(surveys), *_planned(found.about, snapshot.scheduled), *_drill(records)),
        hosts=tuple(_rows(found)),
        choice=_choice(found, surveys),
        last=records[0].id if records else "",
    )


def _recorded(wanted: ServiceId, snapshot: Snapshot) -> ServiceView:
    """Return the view from records alone. A deployment after the last rollback leaves no record, so it is uncertain."""
    records = _of(snapshot.history.records, wanted)
    last = next((record for record in records if _counts(record)), None)
    told = "no host was asked: "
    told += f"the last rollback ended as {last.outcome.replace('_', ' ')}" if last else "no rollback changed a host yet"
    ended = [record.to for record in (last,) if record]
    live = tuple(
        LiveRelease(ref.label, ref.revision or "", 0, moments.seconds_of(last.finished_at), last.actor)
        for ref in ended
        if last and ref.label
    )
    return ServiceView(
        wanted.environment,
        wanted.service,
        "",
        ServiceHealth("unknown", told),
        live,
        banner=_banner(last),
        notices=(*_planned(wanted, snapshot.scheduled), *_drill(records)),
        last=records[0].id if records else "",
    )


def _counts(record: Record) -> bool:
    return record.rolled_back and record.trigger != "drill" and record.outcome != "restored"


def _in_force(surveys: Sequence[Survey], records: Sequence[Record]) -> Record | None:
    """Return the last rollback, if a host still runs its target."""
    last = next((record for record in records if _counts(record)), None)
    if last is None:
        return None
    went = {host.host: host.to.release for host in last.hosts}
    return last if any(s.live.name and went.get(s.host) == s.live.name for s in surveys) else None


def _banner(last: Record | None) -> Banner | None:
    if last is None or not last.from_.label:
        return None
    at = moments.seconds_of(last.finished_at)
    return Banner(last.from_.label, last.to.label, last.reason, last.actor, at, last.id)


def _live(surveys: Sequence[Survey], last: Record | None) -> Iterator[LiveRelease]:
    """Yield each release that is live somewhere, the one on most hosts first."""
    counted = Counter((s.live.name, s.live.revision) for s in surveys if s.live.state == "release")
    for (name, revision), hosts in counted.most_common():
        if last and name in {host.to.release for host in last.hosts}:
            yield LiveRelease(name, revision, hosts, moments.seconds_of(last.finished_at), last.actor)
        else:
            times = [live_at(r) for s in surveys if s.live.name == name and (r := s.release(name)) and live_at(r)]
            yield LiveRelease(name, revision, hosts, min(times, default=None))


# --- health ----------------------------------------------------------------------------------------------


def _health(found: ObservedService) -> ServiceHealth:
    """Judge by the units' states and the last verification. One sign of a fault outweighs any number of unknowns."""
    surveys = list(found.surveys.values())
    against = [told for survey in surveys for told in _against(survey)]
    if against:
        return ServiceHealth("unhealthy", _few(against))
    unknowns = [f"{host} does not answer" for host in found.lost]
    unknowns += [told for survey in surveys for told in _unknowns(survey)]
    if unknowns or not surveys:
        return ServiceHealth("unknown", _few(list(dict.fromkeys(unknowns))) or "there is no host")
    units = sum(len(survey.units) for survey in surveys)
    verified = max((run_time(r.marked_by) for s in surveys if (r := s.release(s.live.name))), default=0.0)
    when = f" at {moments.shown(verified)}" if verified else ""
    return ServiceHealth("healthy", f"verified{when}; {units} of {units} units run")


def _against(survey: Survey) -> Iterator[str]:
    for unit in survey.units:
        if unit.state in _DOWN:
            yield f"{unit.name} on {survey.host}: {unit.state} {unit.detail}".rstrip()
    release = survey.release(survey.live.name)
    if release and release.mark == "bad":
        yield f"{release.name} is marked bad" + (f": {release.marked_why}" if release.marked_why else "")


def _unknowns(survey: Survey) -> Iterator[str]:
    if survey.live.state != "release":
        yield f"{survey.host}: {_live_name(survey)}"
    elif not _verified(survey.release(survey.live.name)):
        yield f"{survey.live.name} has not been verified"
    if not survey.units:
        yield f"{survey.host} does not report its units"
    yield from (f"{unit.name} on {survey.host}: {unit.state}" for unit in survey.units if unit.state not in _RUNS)


def _verified(release: Release | None) -> bool:
    return release is not None and release.mark == "good"


def _few(told: Sequence[str]) -> str:
    more = f"; and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    return "; ".join(told[:_MOST_NAMED]) + more


# --- runs and plans --------------------------------------------------------------------------------------


def _at_work(surveys: Sequence[Survey]) -> Iterator[Notice]:
    """Yield the runs that hold hosts, interrupted rollbacks and armed hosts, each once."""
    leases = {s.lease.run: s.lease for s in surveys if s.lease}
    for lease in leases.values():
        yield Notice("running", f"{lease.owner or 'another run'} since {lease.since} (run {lease.run})", "warning")
    for begun in {s.interrupted.run: s.interrupted for s in surveys if s.interrupted}.values():
        told = f"a rollback to {begun.target} was interrupted (run {begun.run}): `resume` finishes it"
        yield Notice("interrupted", told, "bad")
    for armed in {s.armed.run: s.armed for s in surveys if s.armed}.values():
        by = f" (by {armed.by})" if armed.by else ""
        yield Notice("armed", f"goes back to {armed.target} at {armed.until} unless confirmed{by}", "warning")
    for told in dict.fromkeys(told for survey in surveys for told in survey.deploying):
        yield Notice("deploying", told, "warning")


def _planned(about: ServiceId, entries: Iterable[ScheduleEntry]) -> Iterator[Notice]:
    """Yield the scheduled rollbacks of a service that are still to be carried out."""
    for entry in entries:
        asked = entry.asked
        if (asked.service, asked.environment) == (about.service, about.environment):
            told = f"{asked.live} → {asked.to} at {moments.shown(asked.due)}, by {asked.by}: {asked.reason}"
            told += f" ({entry.state}; `rollback-ops schedule cancel {asked.id}`)"
            yield Notice("scheduled", told, "warning", number=asked.id)


def _drill(records: Sequence[Record]) -> Iterator[Notice]:
    last = next((record for record in records if record.drill), None)
    if last:
        at = moments.shown(moments.seconds_of(last.finished_at))
        yield Notice("last drill", f"{last.outcome.replace('_', ' ')}, {at}", tone_of(last), last.id)


def _choice(found: ObservedService, surveys: Sequence[Survey]) -> Choice:
    leaves = ", ".join(dict.fromkeys(survey.origin for survey in surveys if survey.origin))
    match found.decision:
        case Plan(target=target, warnings=warnings):
            return Choice(leaves, target, warnings=warnings)
        case NothingToDo(why=why) | Refusal(why=why):
            return Choice(leaves, "", why)


# --- hosts -----------------------------------------------------------------------------------------------


def _rows(found: ObservedService) -> Iterator[HostRow]:
    rows = [_row(survey, found.regions.get(survey.host, "")) for survey in found.surveys.values()]
    rows += [
        HostRow((host,), found.regions.get(host, ""), "unknown", "unknown", "warning", (error.without(host),))
        for host, error in found.lost.items()
    ]
    for group in agreeing(rows, lambda row: (row.region, row.live, row.units, row.tone, row.troubles)):
        one = group[0]
        names = tuple(host for row in group for host in row.hosts)
        yield HostRow(names, one.region, one.live, one.units, one.tone, one.troubles)


def _row(survey: Survey, region: str) -> HostRow:
    units = ", ".join(f"{unit.name}: {unit.state}" for unit in survey.units) or "unknown"
    troubles = (*survey.blockers, *survey.warnings, *survey.deploying)
    tone: Tone = "bad" if any(_against(survey)) else "warning" if troubles or any(_unknowns(survey)) else "good"
    return HostRow((survey.host,), region, _live_name(survey), units, tone, troubles)


def _live_name(survey: Survey) -> str:
    live = survey.live
    return live.name if live.state == "release" else f"current is {live.state} {live.path}".rstrip()
