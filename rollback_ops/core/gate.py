"""Objections to the deployment of a release: a hold, or a bad mark. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rollback_ops.core import revision as revisions
from rollback_ops.core.errors import Refused
from rollback_ops.core.frozen import frozen
from rollback_ops.core.hold import about, merged, standing
from rollback_ops.core.model import BadRevision, Hold, Survey
from rollback_ops.core.run import run_time

Surveys = Mapping[str, Sequence[Survey]]


@frozen
class Candidate:
    """The release that somebody wants to deploy. Empty: not known."""

    revision: str = ""
    release: str = ""

    def is_same(self, release: str, revision: str) -> bool:
        """Return whether a release is the candidate, by its revision, or else by its name."""
        if self.revision and revision:
            return revisions.same(self.revision, revision)
        return bool(self.release) and self.release == release


@frozen
class Objection:
    """One reason against a deployment: what it is, who gave it and when, and how to lift it.

    ``run`` is the run that recorded it. ``since`` and ``until``: seconds since the epoch; 0: unknown, or without end.
    """

    why: str
    remedy: str
    by: str = ""
    run: str = ""
    since: float = 0.0
    until: float = 0.0


def candidate(revision: str, release: str, surveys: Surveys, environment: str) -> Candidate:
    """Find the candidate by its revision (or the beginning of it), or by its name in the environment.

    Raises ``Refused`` when several revisions begin like this.
    """
    if revision:
        known = [each.revision for _, survey in _each(surveys) for each in survey.releases]
        known += [each.revision for _, survey in _each(surveys) for each in survey.bad_revisions]
        found = revisions.meant(revision, known)
        if len(found) > 1:
            raise Refused(
                f"the revision {revision} is ambiguous: {', '.join(found)} begin with it", "Give more characters of it."
            )
        return Candidate(found[0] if found else revision, release)
    named = [each for survey in surveys[environment] if (each := survey.release(release))]
    return Candidate(next((each.revision for each in named if each.revision), ""), release)


def objections(
    wanted: Candidate, surveys: Surveys, environment: str, now: float, *, allow_bad: bool = False
) -> Iterator[Objection]:
    """Yield the objections to a deployment: holds of its environment, and bad marks of any environment."""
    for hold in standing(merged(surveys[environment]), now):
        if not hold.releases or any(wanted.is_same(each.release, each.revision) for each in hold.releases):
            yield _of_hold(hold, environment)
    if allow_bad:
        return
    marked: dict[tuple[str, BadRevision], list[str]] = defaultdict(list)
    for name, survey in _each(surveys):
        for bad in _bad(survey):
            if wanted.is_same(bad.release if name == environment else "", bad.revision):
                marked[name, bad].append(survey.host)
    for (name, bad), hosts in marked.items():
        yield _of_mark(bad, ", ".join(hosts), name)


def _each(surveys: Surveys) -> Iterator[tuple[str, Survey]]:
    for environment, found in surveys.items():
        for survey in found:
            yield environment, survey


def _bad(survey: Survey) -> tuple[BadRevision, ...]:
    """Return what a host has marked bad: revisions, also of deleted releases, and releases without a revision."""
    revisions_known = {bad.revision for bad in survey.bad_revisions}
    marked = (r for r in survey.releases if r.mark == "bad" and r.revision not in revisions_known)
    return (*survey.bad_revisions, *(BadRevision(r.revision, r.name, r.marked_by, r.marked_why) for r in marked))


def _of_hold(hold: Hold, environment: str) -> Objection:
    remedy = f"rollback-ops hold {environment} --lift --reason TEXT"
    return Objection(f"{about(hold)} is held: {hold.reason}", remedy, hold.by, hold.id, hold.since, hold.until)


def _of_mark(bad: BadRevision, hosts: str, environment: str) -> Objection:
    why = f": {bad.why}" if bad.why else ""
    remedy = f"rollback-ops mark {environment} {bad.release} clear --reason TEXT (or --allow-bad)"
    return Objection(
        f"{bad.release} is marked bad on {hosts} ({environment}){why}",
        run=bad.run,
        since=run_time(bad.run),
        remedy=remedy,
    )
