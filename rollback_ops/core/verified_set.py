"""The releases of a group's services that were verified together, and the set that a rollback goes back to. Pure.

A set is a line in the journals of all hosts of the group. It holds for the services that the group has now, and
names what a service can go back to by itself, or runs already.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import NothingToDo, Refusal, Selection, make_plan
from rollback_ops.core.revision import all_same, same
from rollback_ops.core.versions import Versions

_BEGINNING = '{"event":"set",'
_LONGEST = 48_000


@frozen
class Version:
    """A release as a set names it. The revision may be unknown."""

    release: str
    revision: str = ""


@frozen
class VerifiedSet:
    """Releases that were verified together: by which run, when (RFC 3339 in UTC), and the version of each service."""

    id: str
    group: str
    environment: str
    at: str
    versions: Mapping[str, Version]

    def line(self) -> str:
        """Return the event for the journals. Empty for a set that is too long to be stored."""
        names = {service: [each.release, each.revision] for service, each in self.versions.items()}
        event = {"event": "set", "id": self.id, "group": self.group, "environment": self.environment, "at": self.at}
        text = json.dumps({**event, "versions": names}, separators=(",", ":"))
        return text if len(text.encode()) <= _LONGEST else ""


def read_sets(lines: Iterable[str], group: str, environment: str, services: Collection[str]) -> list[VerifiedSet]:
    """Return the sets of these services in journals, newest first. Lines that cannot be read are skipped."""
    found = {each.id: each for each in filter(None, map(_read, lines))}
    ours = [each for each in found.values() if (each.group, each.environment) == (group, environment)]
    whole = [each for each in ours if set(each.versions) == set(services)]
    return sorted(whole, key=lambda each: (each.at, each.id), reverse=True)


def _read(line: str) -> VerifiedSet | None:
    if not line.startswith(_BEGINNING):
        return None
    try:
        event: dict[str, Any] = json.loads(line)
        versions = {str(name): Version(str(release), str(sha)) for name, (release, sha) in event["versions"].items()}
        id_, group, environment, at = (str(event[key]) for key in ("id", "group", "environment", "at"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return VerifiedSet(id_, group, environment, at, versions)


@frozen
class ServiceChoices:
    """The live releases of one service, and its possible targets, as labels (``core.versions``), newest first.

    ``blocked`` says why the service cannot be changed, ``idle`` why it need not be.
    """

    versions: Versions
    lives: frozenset[str]
    eligible: tuple[str, ...]
    revisions: Mapping[str, str]
    blocked: Refusal | None = None
    idle: NothingToDo | None = None

    def runs(self, label: str) -> bool:
        """Return whether all hosts run this already."""
        return self.lives == {label}

    def fits(self, label: str) -> bool:
        return self.runs(label) or label in self.eligible

    def label(self, wanted: Version) -> str:
        """Return the label of a version of a set; empty where no host has it, or it is another one now."""
        named = [each for each in self.versions.find(wanted.release) if self._may_be(each, wanted)]
        found = named or (self.versions.find(wanted.revision) if wanted.revision else [])
        return found[0] if len(found) == 1 else ""

    def _may_be(self, label: str, wanted: Version) -> bool:
        there = self.revisions.get(label, "")
        return not (there and wanted.revision) or same(there, wanted.revision)


def options(surveys: Sequence[Survey], selection: Selection) -> ServiceChoices:
    """Return what a service can go to. ``selection`` names no release."""
    unreachable = Refusal("no host can be reached")
    versions, decision = Versions(surveys), make_plan(surveys, selection) if surveys else unreachable
    idle = decision if isinstance(decision, NothingToDo) else None
    return ServiceChoices(
        versions,
        frozenset(survey.origin for survey in versions.labelled()),
        () if isinstance(decision, NothingToDo) else decision.eligible,
        {r.name: r.revision for survey in versions.labelled() for r in survey.releases if r.revision},
        decision if isinstance(decision, Refusal) and (decision.hosts or not surveys) else None,
        idle,
    )


@frozen
class Target:
    """Where the services of a group go, as labels; without labels, each goes to its own choice."""

    labels: Mapping[str, str] = field(default_factory=dict)
    verified_by: str = ""
    warnings: tuple[str, ...] = ()


def choose_set(
    group: str, services: Mapping[str, ServiceChoices], sets: Sequence[VerifiedSet], *, together: bool
) -> Target | Refusal:
    """Return the newest set that every service can go to, and that changes something.

    Without one, each service goes to its own choice; where the versions must match (``together``), to the newest one
    that all of them have.
    """
    for found in sets:
        labels = {name: each.label(found.versions[name]) for name, each in services.items()}
        if _can_go(services, labels) and not (together and _differ(services, labels)):
            return Target(labels, found.id)
    why_none = _without_set(group, sets, services)
    if not together:
        return Target(warnings=(f"{why_none}: each service goes to its own choice",))
    for labels in _matching(services):
        if _can_go(services, labels):
            return Target(
                labels, warnings=(f"{why_none}: the services go to the newest version that all of them have",)
            )
    lives = ", ".join(f"{name} runs {', '.join(sorted(each.lives))}" for name, each in services.items())
    why = f"no version is eligible in all services of {group}, whose versions must match ({lives})"
    return Refusal(why, "Name the release of each service: --to SERVICE=RELEASE,SERVICE=RELEASE.")


def asked_set(
    group: str, services: Mapping[str, ServiceChoices], asked: Mapping[str, str], *, together: bool
) -> Target | Refusal:
    """Return the set that was asked for. Where the versions must match (``together``), others are refused."""
    labels = {name: each.label(Version(asked[name])) or asked[name] for name, each in services.items()}
    if together and _differ(services, labels):
        told = ", ".join(f"{name}={label}" for name, label in labels.items())
        return Refusal(f"the versions of {group} must match (together = true), and these differ: {told}")
    return Target(labels)


def _can_go(services: Mapping[str, ServiceChoices], labels: Mapping[str, str]) -> bool:
    there = all(labels[name] and each.fits(labels[name]) for name, each in services.items())
    return there and not all(each.runs(labels[name]) for name, each in services.items())


def _differ(services: Mapping[str, ServiceChoices], labels: Mapping[str, str]) -> bool:
    """Return whether these are several versions: by their revisions, where all are known, else by their names."""
    revisions = [each.revisions.get(labels[name], "") for name, each in services.items()]
    return not all_same(revisions) if all(revisions) else len(set(labels.values())) > 1


def _matching(services: Mapping[str, ServiceChoices]) -> Iterator[dict[str, str]]:
    """Yield the versions that the first service runs or can go to, newest first, with their labels in each service."""
    first = next(iter(services.values()))
    for label in (*first.lives, *first.eligible):
        revision = first.revisions.get(label, "")
        yield {name: _same(each, label, revision) for name, each in services.items()}


def _same(service: ServiceChoices, label: str, revision: str) -> str:
    alike = [name for name, each in service.revisions.items() if same(each, revision)]
    return alike[0] if len(alike) == 1 else service.label(Version(label, revision))


def _without_set(group: str, sets: Sequence[VerifiedSet], services: Mapping[str, ServiceChoices]) -> str:
    """Say why no set is the target."""
    if not sets:
        return f"no set of {group} was verified together (`guard --group {group}` does that)"
    last = sets[0]
    wanted = {name: (each, last.versions[name]) for name, each in services.items()}
    unfit = [
        f"{name} {version.release}" for name, (each, version) in wanted.items() if not each.fits(each.label(version))
    ]
    why = f"not eligible: {', '.join(unfit)}" if unfit else "it is live"
    return f"no set of {group} that was verified together is left (the last one is of {last.at}; {why})"
