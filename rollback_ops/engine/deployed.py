"""The live releases on the hosts, and since when they are live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Survey
from rollback_ops.core.order import Order, Ranking, live_at
from rollback_ops.core.versions import Versions


@frozen
class Deployed:
    """The live releases. ``since``: when the newest became live, ``before``: when the one before it did.

    ``compared_until``: the end of the hour that it is compared with, where that is not ``since``.
    ``lives`` maps hosts to labels of releases (``core.versions``), ``names`` to names, where these differ. Times in
    seconds since the epoch; 0 is unknown.
    """

    lives: Mapping[str, str]
    newest: str
    since: float = 0.0
    before: float = 0.0
    names: Mapping[str, str] = field(default_factory=dict)
    compared_until: float | None = None

    @property
    def baseline_ends(self) -> float:
        return self.since if self.compared_until is None else self.compared_until

    @property
    def older(self) -> list[str]:
        """The other releases that are live: the controls."""
        return sorted({live for live in self.lives.values() if live and live != self.newest})


def deployed_on(surveys: Iterable[Survey], order: Order | None, since: float | None = None) -> Deployed:
    """Return the live releases of these hosts. Of different ones, the newest is judged.

    ``since``: when it was deployed, where a person says so.
    """
    found = list(surveys)
    versions = Versions(found)
    there = versions.labelled()
    lives = {survey.host: survey.live.name for survey in there}
    ranking = Ranking(there, order, None if versions.are_names else versions.name)
    newest = ranking.latest(set(lives.values()) - {""})
    times: dict[str, float] = {}
    for survey in there:
        for release in survey.releases:
            times[release.name] = max(times.get(release.name, 0.0), live_at(release))
    name = newest[0] if newest else ""
    since = times.get(name, 0.0) if since is None else since
    before = max((at for release, at in times.items() if release != name and at < since), default=0.0)
    return Deployed(lives, name, since, before, {survey.host: survey.live.name for survey in found})
