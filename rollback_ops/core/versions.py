"""Matches the releases of one host with those of another. Pure.

Deployment tools that count give one version different names on different hosts, and one name to several versions.
Releases are matched by name unless a known fact differs, else by revision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rollback_ops.core.model import Release, Survey
from rollback_ops.core.order import natural
from rollback_ops.core.revision import meant, same, short, spelled_out

_Labels = dict[str, dict[str, str]]


class Versions:
    """The releases of several hosts by labels: where two hosts use one label, they mean the same version.

    A label is the name of the release, where that means the same everywhere; else the beginning of its revision. A
    release that is matched with none, and whose name means another version elsewhere, has a label of its own.
    """

    def __init__(self, surveys: Sequence[Survey]) -> None:
        self._surveys = surveys = _with_whole_revisions(surveys)
        self._revisions = {r.revision for s in surveys for r in s.releases if r.revision}
        self._labels = _labels(surveys) if len(surveys) > 1 else {}

    @property
    def are_names(self) -> bool:
        """Whether every label is the name of its release."""
        return not any(self._labels.values())

    def label(self, host: str, name: str) -> str:
        return self._labels.get(host, {}).get(name, name)

    def name(self, host: str, label: str) -> str:
        """Return the name that a version has on a host."""
        return next((name for name, each in self._labels.get(host, {}).items() if each == label), label)

    def labelled(self) -> list[Survey]:
        """Return the surveys with labels for names."""
        return [self._labelled(s) if self._labels.get(s.host) else s for s in self._surveys]

    def find(self, asked: str) -> list[str]:
        """Return the labels that a name, or a revision, may mean; none where it means none, or several revisions."""
        labels = {self.label(s.host, r.name) for s in self._surveys for r in s.releases}
        labels |= {self.label(s.host, s.live.name) for s in self._surveys if s.live.name}
        if asked in labels:
            return [asked]
        found = {self.label(s.host, r.name) for s in self._surveys for r in s.releases if r.name == asked}
        if not found and len(meant(asked, self._revisions)) == 1:
            found = {self.label(s.host, r.name) for s in self._surveys for r in s.releases if same(r.revision, asked)}
        return sorted(found)

    def revisions(self, name: str) -> dict[str, str]:
        """Return the revision that releases of this name have, by host."""
        return {s.host: r.revision or "unknown" for s in self._surveys for r in s.releases if r.name == name}

    def _labelled(self, survey: Survey) -> Survey:
        def label(name: str) -> str:
            return self.label(survey.host, name)

        begun, drill = survey.unfinished, survey.drill
        return replace(
            survey,
            releases=tuple(replace(release, name=label(release.name)) for release in survey.releases),
            live=replace(survey.live, name=label(survey.live.name)),
            unfinished=replace(begun, target=label(begun.target), left=label(begun.origin)) if begun else None,
            drill=replace(drill, start=label(drill.start), target=label(drill.target)) if drill else None,
        )


def _with_whole_revisions(surveys: Sequence[Survey]) -> Sequence[Survey]:
    """Spell a commit alike on all hosts: some tools note only its beginning."""
    if len(surveys) < 2:
        return surveys
    whole = spelled_out(release.revision for survey in surveys for release in survey.releases)
    if not whole:
        return surveys

    def spelled(release: Release) -> Release:
        return replace(release, revision=whole.get(release.revision, release.revision))

    return [replace(survey, releases=tuple(map(spelled, survey.releases))) for survey in surveys]


def _labels(surveys: Sequence[Survey]) -> _Labels:
    """Return the labels, by host and name, of the releases whose label is not their name."""
    revisions: dict[str, set[str]] = defaultdict(set)
    hosts: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    places: dict[str, set[str]] = defaultdict(set)
    for survey in surveys:
        for release in survey.releases:
            hosts[release.name].add(survey.host)
            if release.revision:
                revisions[release.name].add(release.revision)
                names[release.revision].add(release.name)
                places[release.revision].add(survey.host)
    ambiguous = {name for name, found in revisions.items() if len(found) > 1}
    scattered = {
        revision
        for revision, found in names.items()
        if found & ambiguous
        or (len(places[revision]) > 1 and len(found) > 1 and all(len(hosts[name]) < len(surveys) for name in found))
    }
    taken = set(hosts)
    return {s.host: dict(_of_host(s, ambiguous, scattered, taken)) for s in surveys}


def _of_host(survey: Survey, ambiguous: set[str], scattered: set[str], taken: set[str]) -> Iterable[tuple[str, str]]:
    matched: dict[str, str] = {}
    for release in _preferred(survey):
        if release.revision in scattered and release.revision not in matched:
            matched[release.revision] = release.name
            yield release.name, _short(release.revision, scattered | taken)
        elif release.name in ambiguous or release.revision in scattered:
            yield release.name, f"{release.name} on {survey.host}"


def _preferred(survey: Survey) -> list[Release]:
    """Return the releases, and of those with one revision first the live one, then a good one, then the newest."""
    found = sorted(survey.releases, key=lambda release: natural(release.name), reverse=True)
    return sorted(found, key=lambda r: (r.name != survey.origin, r.mark != "good", not r.was_live))


def _short(revision: str, others: set[str]) -> str:
    name = short(revision)
    alone = sum(other.startswith(name) for other in others) == 1
    return name if alone else revision
