"""The plan of a group's rollback, as it is stored in the journals of all of its hosts. Pure.

Another runner can go on with it: it finds the same releases for the same hosts, also of services that were not begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Survey
from rollback_ops.core.unfinished import moved

_BEGINNING = '{"event":"group",'
_LONGEST = 48_000


@frozen
class ServicePlan:
    """One service of the plan: its target, as the group names it, and what its hosts leave and go to, by host."""

    target: str
    revision: str
    sources: Mapping[str, str]
    targets: Mapping[str, str]

    def moved(self, survey: Survey) -> str:
        """Return what has changed on a host since the plan was made; empty when nothing has."""
        source, target = self.sources.get(survey.host, ""), self.targets.get(survey.host, "")
        if not target:
            return "it is new since the plan was made"
        return moved(survey, source, target, self.revision)

    def is_done(self, survey: Survey) -> bool:
        """Return whether a host runs the target, and has finished its transaction."""
        return survey.interrupted is None and survey.origin == self.targets.get(survey.host)

    def left_by(self, surveys: Iterable[Survey]) -> dict[str, str]:
        """Return what the hosts left that the rollback has changed, by host."""
        changed = [survey.host for survey in surveys if self.is_done(survey)]
        return {name: self.sources[name] for name in changed if self.sources.get(name) != self.targets[name]}


@frozen
class GroupPlan:
    """The plan of the group's run ``run``, made ``at`` (RFC 3339 in UTC): what its services leave and go to."""

    run: str
    group: str
    at: str
    services: Mapping[str, ServicePlan]

    def line(self, run: str, service: str, environment: str) -> str:
        """Return the event for the journals of a service, by its own run. Empty for a plan that is too long."""
        event = {"event": "group", "id": run, "service": service, "environment": environment}
        services = {
            name: [each.target, each.revision, dict(each.sources), dict(each.targets)]
            for name, each in self.services.items()
        }
        whole = {**event, "group": self.group, "run": self.run, "at": self.at, "services": services}
        text = json.dumps(whole, separators=(",", ":"))
        return text if len(text.encode()) <= _LONGEST else ""


def last_plan(lines: Iterable[str], group: str, environment: str) -> GroupPlan | None:
    """Return the last plan of a group in journals. Lines that cannot be read are skipped."""
    found = (each for each in (_read(line, environment) for line in lines) if each and each.group == group)
    return max(found, key=lambda each: (each.at, each.run), default=None)


def _read(line: str, environment: str) -> GroupPlan | None:
    if not line.startswith(_BEGINNING):
        return None
    try:
        event: dict[str, Any] = json.loads(line)
        services = {
            str(name): ServicePlan(str(target), str(revision), _names(sources), _names(targets))
            for name, (target, revision, sources, targets) in event["services"].items()
        }
        run, group, at = (str(event[key]) for key in ("run", "group", "at"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return GroupPlan(run, group, at, services) if event.get("environment") == environment else None


def _names(said: Mapping[Any, Any]) -> dict[str, str]:
    return {str(host): str(release) for host, release in said.items()}
