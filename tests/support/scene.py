"""Facts about a host that the tests know without the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.plan import THREE_HEALTHY
from tests.support.on_this_machine import LocalService

Twins = Callable[..., tuple[Deployed, Deployed]]

FIRST, SECOND, THIRD = THREE_HEALTHY
# Where the window of the verification is not the point; the deadline is for machines that are busy.
QUICK = {"min_healthy_time": "0s", "healthy_deadline": "15s"}
# Where something else than time ends it: hard evidence, or a check with ``fail_fast``.
PATIENT = {"min_healthy_time": "0s", "healthy_deadline": "60s"}
FOUR = {f"b{number}": "healthy" for number in (1, 2, 3, 4)}
WHY = ("--reason", "logins fail since the deploy")


def quick(service: Deployed, **settings: Any) -> str:
    """The service's rollback.toml, with a verification that is content with one round of passes."""
    return service.toml(**{"verify": QUICK, **settings})


def evident(service: Deployed | LocalService) -> dict[str, Any]:
    """Settings with which an unhealthy answer ends the verification, and not the time that it has."""
    return {"verify": PATIENT, "checks": {"health": {**service.health_check, "final": [503]}}}


def at_once(service: Deployed | LocalService, **settings: Any) -> str:
    """The service's rollback.toml, where a release that is unhealthy fails at once."""
    return service.toml(**{**evident(service), **settings})


def logins(*services: Deployed) -> list[str]:
    return [f"root@{service.host.address}" for service in services]


def listing(service: Deployed) -> str:
    """Everything under the service's root: kind, inode, owner, mode, size, time, name and where links point."""
    return service.host.run(f"find {service.root} -printf '%y %i %u %m %s %T@ %p %l\\n' | sort").stdout


def pid(service: Deployed) -> int:
    """The process of the service's first unit; 0 where systemd has none."""
    return int(service.host.run(f"systemctl show -p MainPID --value {service.units[0]}").stdout)


def journal(service: Deployed) -> list[dict[str, Any]]:
    """The lines of the journal on the host, oldest first."""
    lines = service.host.run(f"cat {service.root}/.rollback/journal.jsonl", check=False).stdout.splitlines()
    return [json.loads(line) for line in lines]


def released(service: Deployed) -> Any:
    """The name of the release that answers on the host; None without an answer."""
    return (service.health() or {}).get("release")


def marks(rollback_ops: RollbackOps) -> dict[str, str]:
    """The marks of the releases on the first host, from ``list``: good, bad or empty."""
    listed = rollback_ops("list", "prod", "--json").document
    return {release["name"]: release["mark"] for release in listed["hosts"][0]["releases"]}


def checks(document: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The outcome and the detail of each check of the first host."""
    return {check["name"]: (check["outcome"], check["detail"]) for check in document["hosts"][0]["checks"]}


def transaction(document: Mapping[str, Any], host: int = 0) -> list[tuple[str, str]]:
    """The steps that a host took itself, in their order, each with its outcome."""
    told = [(step["name"], step["outcome"]) for step in document["hosts"][host]["steps"]]
    return [step for step in told if step[0] in ("stop", "switch", "links", "start")]


def stop_of(document: Mapping[str, Any], host: int = 0) -> dict[str, Any]:
    """The stop among a host's steps."""
    (found,) = (step for step in document["hosts"][host]["steps"] if step["name"] == "stop")
    assert isinstance(found, dict)
    return found
