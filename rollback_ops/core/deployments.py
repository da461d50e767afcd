"""Deployments, and which of them failed because a rollback left them: DORA's change fail rate (dora.dev). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from rollback_ops.core.frozen import frozen
from rollback_ops.core.intervals import jeffreys, share_at_least, share_at_most
from rollback_ops.core.order import live_at
from rollback_ops.core.revision import same

if TYPE_CHECKING:
    from rollback_ops.core.model import ServiceId, Survey
    from rollback_ops.core.record import Record

# At most so many deployments, the newest ones: older ones were another service.
MOST_DEPLOYMENTS = 300
# Each bound of an interval at 95 %.
_ONE_SIDE = 0.975


@frozen
class PastDeployment:
    """A deployment: its revision (may be empty), when (seconds since the epoch), and how many lines it added.

    ``release``: the name on the hosts, empty where only GitHub was asked. ``failed``: a rollback left it. ``added``:
    None where the clone does not know. ``gap``: seconds since the last one.
    """

    revision: str
    at: float
    failed: bool = False
    added: int | None = None
    gap: float | None = None
    after_failure: bool = False
    release: str = ""


@frozen
class Rate:
    """``failed`` of ``total``. ``interval`` is Jeffreys' at 95 %; ``exact`` is Clopper's and Pearson's, never narrower.

    Reports use the exact one, which covers at least 95 %; forecasts use the other one, which is narrower.
    """

    name: str
    failed: int
    total: int

    @property
    def share(self) -> float:
        return self.failed / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return jeffreys(self.failed, self.total)

    @property
    def exact(self) -> tuple[float, float]:
        low = share_at_least(self.failed, self.total, _ONE_SIDE)
        return low, share_at_most(self.failed, self.total, _ONE_SIDE)


def releases_on(surveys: Iterable[Survey]) -> list[PastDeployment]:
    """Return the releases that were live on hosts, each once: the times of the first host that has it."""
    found: dict[str, PastDeployment] = {}
    for survey in surveys:
        for release in survey.releases:
            at = live_at(release)
            if at and (release.was_live or release.name == survey.live.name):
                found.setdefault(release.name, PastDeployment(release.revision, at, release=release.name))
    return list(found.values())


def of_one_history(found: Iterable[tuple[str, str]]) -> list[PastDeployment]:
    """Return deployments (SHA, RFC 3339 time), oldest first. Several of one commit in a row are one: each job may have
    filed its own. An entry without a readable time is left out."""
    past: list[PastDeployment] = []
    for sha, created_at in sorted(found, key=lambda pair: pair[1]):
        try:
            at = datetime.fromisoformat(created_at).timestamp()
        except ValueError:
            continue
        if not past or sha != past[-1].revision:
            past.append(PastDeployment(sha, at))
    return past


def left_a_failure(record: Record) -> bool:
    """Return whether a rollback left a deployment for an older one. One to a newer release undoes another rollback."""
    left, to = record.from_.deployed_at, record.to.deployed_at
    forward = bool(left and to) and datetime.fromisoformat(str(to)) > datetime.fromisoformat(str(left))
    return record.rolled_back and not forward and record.trigger != "drill" and not record.drill


def with_failures(deployments: Iterable[PastDeployment], records: Iterable[Record]) -> list[PastDeployment]:
    """Return the deployments in their order in time. One that a rollback left has failed; a drill leaves none.

    A rollback belongs to the last deployment before it of the release (or else of the revision) that it left, or to the
    last one before it where it knows neither.
    """
    found = sorted(deployments, key=lambda each: each.at)
    failed: set[int] = set()
    for record in filter(left_a_failure, records):
        at = datetime.fromisoformat(record.started_at).timestamp()
        before = [n for n, each in enumerate(found) if each.at <= at and _is_of(each, record)]
        failed.update(before[-1:])
    told = [replace(each, failed=number in failed) for number, each in enumerate(found)]
    return [
        replace(each, gap=each.at - told[n - 1].at, after_failure=told[n - 1].failed) if n else each
        for n, each in enumerate(told)
    ][-MOST_DEPLOYMENTS:]


def change_failures(
    deployments: Mapping[ServiceId, Sequence[PastDeployment]], records: Sequence[Record]
) -> Rate | None:
    """Return how many deployments of each service a rollback left. None: no deployment is known."""
    past = [
        each
        for about, there in deployments.items()
        # GitHub's deployments name an environment, and no service.
        for each in with_failures(
            there, [r for r in records if r.environment == about.environment and about.service in ("", r.service)]
        )
    ]
    source = "releases on the hosts" if any(about.service for about in deployments) else "deployments on GitHub"
    return Rate(source, sum(each.failed for each in past), len(past)) if past else None


def _is_of(deployment: PastDeployment, record: Record) -> bool:
    """Return whether a rollback may have left this deployment."""
    left = record.from_
    if deployment.release and left.release:
        return deployment.release == left.release
    # An unknown revision may be any.
    return not left.revision or same(deployment.revision, left.revision)
