"""Finds a rollback that did not reach all of its hosts: the next one keeps its target, and goes to no older release."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import ServiceId, Survey
from rollback_ops.core.plan import Selection, Unfinished
from rollback_ops.core.record import ReleaseRef
from rollback_ops.core.revision import same
from rollback_ops.core.stored_plan import StoredPlan, read_plan


def going_on(
    selection: Selection,
    about: ServiceId,
    surveys: Sequence[Survey],
    lost: Collection[str],
    read: Callable[[], Iterable[str]],
) -> Selection:
    """Return the selection with the rollback that it goes on with, where there is one.

    ``about`` is the service and the environment, ``lost`` the hosts that cannot be reached. ``read`` returns the lines
    of the journals; it is called only where hosts are lost, or run different releases. A selection that names its own
    target is returned as it is.
    """
    lives = {survey.live.name for survey in surveys if survey.live.state == "release"}
    if selection.backup or selection.if_current or selection.resume or not (lost or len(lives) > 1):
        return selection
    return replace(selection, unfinished=_unfinished(about, surveys, lost, read()))


def _unfinished(
    about: ServiceId, surveys: Sequence[Survey], lost: Collection[str], lines: Iterable[str]
) -> Unfinished | None:
    """Return the last rollback, where its target is still live on the hosts that it reached, and others lack it."""
    records, _ = read_journal(lines, about)
    last = next((r for r in records if r.rolled_back), None)
    if last is None or not last.to.label:
        return None
    reached = {host.host: host.to.release for host in last.hosts if _is_target(host.to, last.to)}
    lives = {survey.host: survey.live.name for survey in surveys}
    done = [name for name in lives if name in reached]
    lacking = tuple(name for name in (*lives, *lost) if name not in reached)
    if not done or not lacking or any(lives[name] != reached[name] for name in done):
        return None
    return Unfinished(last.id, last.to.label, lacking)


def _is_target(ref: ReleaseRef, target: ReleaseRef) -> bool:
    """Return whether a host went to the target; when hosts have several names for it, only its revision is known."""
    return ref.release == target.release if target.release else same(ref.revision or "", target.revision or "")


def moved(survey: Survey, source: str, target: str, revision: str) -> str:
    """Return what has changed on a host since a plan was made that goes from the source to the target; else empty."""
    if survey.origin not in (source, target):
        way = f"from {source} to {target}" if source != target else f"to {target}"
        return f"it runs {survey.origin or survey.live.state}, and the rollback was {way}"
    release = survey.release(target)
    if release and revision and release.revision and not same(release.revision, revision):
        return f"{target} is another revision now: {release.revision} instead of {revision}"
    return ""


def open_plan(lines: Iterable[str], about: ServiceId, live: Mapping[str, str]) -> StoredPlan | None:
    """Return the last stored plan, where it is not finished: a host still runs what it was to leave.

    ``live`` maps hosts to the releases that they run now. A plan that ended in another way (all hosts went back, or
    another rollback followed) is finished, too.
    """
    every = list(lines)
    found = filter(None, map(read_plan, every))
    ours = [plan for plan in found if (plan.service, plan.environment) == (about.service, about.environment)]
    last = max(ours, key=lambda plan: plan.at, default=None)
    if last is None or not any(live.get(host) == source for host, source in last.sources.items()):
        return None
    for record in read_journal(every, about)[0]:
        its_own = record.id == last.id or (record.plan is not None and record.plan.id == last.id)
        if its_own and record.outcome in ("succeeded", "restored"):
            return None
        if not its_own and record.started_at > last.at and record.rolled_back:
            return None
    return last
