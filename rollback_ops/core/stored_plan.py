"""The plan of a rollback in waves, as it is stored in the journal of each of its hosts. Pure.

Another runner can go on with it: it finds the same target, the same hosts in the same waves, and the same budget.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import ServiceId
from rollback_ops.core.plan import Plan
from rollback_ops.core.rollout import Rollout

# Bytes of a line in the journal, as of a record. A longer plan is packed: names of hosts are much alike.
_LONGEST = 48_000
# Bytes of an unpacked plan: anybody who may write to a journal may have packed it.
_LONGEST_UNPACKED = 4_000_000
_BEGINNING = '{"event":"plan",'
_NO_WAVES = Rollout(waves=(), shares=(), max_failures=0)


@frozen
class StoredPlan:
    """A stored plan. ``id``: the run that made it; ``at``: when (RFC 3339). ``sources``: what each host left.

    ``done`` are the hosts that ran the target before. ``targets`` has the hosts on which the target has another name.
    """

    id: str
    service: str
    environment: str
    at: str
    target: str
    revision: str
    sources: dict[str, str]
    done: tuple[str, ...]
    rollout: Rollout
    targets: dict[str, str]

    @property
    def hosts(self) -> set[str]:
        return {*self.sources, *self.done}

    @property
    def hash(self) -> str:
        """A hash of the plan without ``id`` and ``at``."""
        said = {key: value for key, value in asdict(self).items() if key not in ("id", "at")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def is_approved(self, given: str) -> bool:
        """Return whether a hash, or its beginning, is that of this plan without its waves, as a preview prints it."""
        return replace(self, rollout=_NO_WAVES).hash.startswith(given)

    def line(self) -> str:
        """Return the event for the journals. Empty for a plan that is too long to be stored, even when it is packed."""
        text = _event({**asdict(self), "hash": self.hash})
        if len(text) > _LONGEST:
            whose = {"id": self.id, "service": self.service, "environment": self.environment}
            text = _event({**whose, "packed": base64.b64encode(zlib.compress(text.encode(), 9)).decode()})
        return text if len(text) <= _LONGEST else ""

    def left(self, plan: Plan) -> Rollout:
        """Return the remaining waves: the hosts that are not changed yet, under the same numbers."""
        to_switch = {host.host for host in plan.with_action("switch")}
        waves = (replace(w, hosts=tuple(h for h in w.hosts if h in to_switch)) for w in self.rollout.waves)
        return replace(self.rollout, waves=tuple(wave for wave in waves if wave.hosts))


def plan_hash(about: ServiceId, plan: Plan, rollout: Rollout | None) -> str:
    """Return the hash of a plan, also of one without waves."""
    return stored("", about, "", plan, rollout or _NO_WAVES).hash


def approves(given: str, about: ServiceId, plan: Plan) -> bool:
    """Return whether a hash, or its beginning, is that of a plan.

    Waves do not count: the health of hosts, which changes, decides which wave they are in.
    """
    return plan_hash(about, plan, None).startswith(given)


def stored(run: str, about: ServiceId, at: str, plan: Plan, rollout: Rollout) -> StoredPlan:
    """Return the plan in the form in which it is stored."""
    return StoredPlan(
        id=run,
        service=about.service,
        environment=about.environment,
        at=at,
        target=plan.target,
        revision=plan.revision,
        sources={host.host: host.source.name for host in plan.with_action("switch")},
        done=tuple(host.host for host in plan.with_action("leave")),
        rollout=rollout,
        targets={host.host: host.target for host in plan.hosts if host.target != plan.target},
    )


def read_plan(line: str) -> StoredPlan | None:
    """Return the plan in a line. None when there is none, or when its hash is wrong."""
    if not line.startswith(_BEGINNING):
        return None
    try:
        event: dict[str, Any] = json.loads(line)
        if "packed" in event:
            event = json.loads(_unpacked(event["packed"]))
        said = event.pop("hash", None)
        event.pop("event", None)
        plan = _adapter().validate_python(event)
    except (ValueError, TypeError, AttributeError, RecursionError, zlib.error):
        return None
    return plan if plan.hash == said else None


def _event(said: dict[str, Any]) -> str:
    return json.dumps({"event": "plan", **said}, separators=(",", ":"))


def _unpacked(packed: str) -> bytes:
    """Return a packed plan, or the beginning of one that is too long: that is no JSON, and no plan."""
    return zlib.decompressobj().decompress(base64.b64decode(packed), _LONGEST_UNPACKED)


@cache
def _adapter() -> TypeAdapter[StoredPlan]:
    return TypeAdapter(StoredPlan)
