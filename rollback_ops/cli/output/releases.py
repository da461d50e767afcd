"""The releases on the hosts, as `list` shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rollback_ops.cli.output.text import Line, decision
from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.model import Release, Survey
from rollback_ops.core.order import Ranking, live_at
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.revision import short
from rollback_ops.core.run import run_time
from rollback_ops.core.text import age
from rollback_ops.core.trust import remedy
from rollback_ops.core.versions import Versions


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
    decided: Plan | NothingToDo | Refusal,
    ranking: Ranking,
    now: float,
    versions: Versions | None = None,
) -> tuple[Sequence[str], list[list[str]]]:
    """Return the table of a host's releases, newest first: its columns and its rows.

    The decision and the ranking call releases by their labels of all hosts (``versions``).
    """
    labels = versions or Versions(())
    target = decided.target_on(survey.host) if isinstance(decided, Plan) else ""
    why = {} if isinstance(decided, NothingToDo) else {r.release: r.why for r in decided.rejected}
    found = {labels.label(survey.host, release.name): release for release in survey.releases}
    return _RELEASE_COLUMNS, [
        [
            "●" if r.name == survey.live.name else "→" if r.name == target else "",
            r.name,
            age(now - deployed) if (deployed := live_at(r) or r.modified) else "",
            size(r.size_kib),
            short(r.revision),
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


def size(kib: int | None) -> str:
    if kib is None:
        return ""
    amount = float(kib)
    for unit in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
