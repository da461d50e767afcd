"""Records for the tests of what is done with them."""

from __future__ import annotations

from typing import Any

from rollback_ops.core.record import Record

USUAL: dict[str, Any] = {
    "schema_version": 1,
    "id": "20240102T030405Z-0123abcd",
    "service": "bot",
    "environment": "prod",
    "mode": "standard",
    "dry_run": False,
    "trigger": "manual",
    "reason": "logins fail",
    "actor": "alice",
    "run_url": None,
    "started_at": "2024-01-02T03:04:05.678Z",
    "finished_at": "2024-01-02T03:04:07.178Z",
    "duration_seconds": 1.5,
    "outcome": "succeeded",
    "exit_code": 0,
    "from": {"release": "b3", "revision": "sha-b3", "deployed_at": None},
    "to": {"release": "b2", "revision": "sha-b2", "deployed_at": "2024-01-01T02:03:04.000Z"},
    "rejected": [{"release": "b3", "why": "it is the live one"}],
    "hosts": [
        {
            "host": "deploy@bot1",
            "outcome": "succeeded",
            "from": {"release": "b3", "revision": "sha-b3", "deployed_at": None},
            "to": {"release": "b2", "revision": "sha-b2", "deployed_at": "2024-01-01T02:03:04.000Z"},
            "downtime_seconds": 0.2,
            "steps": [{"name": "stop", "seconds": 0.1, "outcome": "ok", "detail": ""}],
            "checks": [{"name": "health", "kind": "http", "outcome": "passed", "detail": "status 200", "seconds": 0.5}],
            "detail": "",
            "region": None,
            "service": None,
            "superseded_by": None,
        }
    ],
    "deployment": {"id": None, "url": None},
    "superseded_by": None,
    "hold": {
        "releases": [{"release": "b3", "revision": "sha-b3", "deployed_at": None}],
        "since": "2024-01-02T03:04:07.178Z",
        "until": "2024-01-03T03:04:07.178Z",
    },
    "plan": None,
    "approved": None,
    "strategy": None,
    "waves": [],
    "group": None,
    "services": [],
    "shard": None,
    "shards": [],
    "evidence": [],
    "scheduled": None,
    "drill": None,
    "warnings": ["beware"],
}


# A group whose second service failed: web was changed first.
MIXED: dict[str, Any] = {
    "name": "shop",
    "run": "20240102T030405Z-00000000",
    "steps": [["web"], ["api"]],
    "services": [
        {"service": "api", "run": "r1", "outcome": "failed", "from": {"release": "a3"}, "to": {"release": "a2"}},
        {"service": "web", "run": "r2", "outcome": "succeeded", "from": {"release": "w3"}, "to": {"release": "w2"}},
    ],
    "stopped": "api on deploy@bot1 failed",
    "then": "rollback-ops rollback prod --group shop --to api=a2,web=w2",
    "back": "rollback-ops rollback prod --group shop --to api=a3,web=w3",
}


def group(**words: Any) -> Record:
    """The record of a group with the services api and web on one host."""
    host = USUAL["hosts"][0]
    hosts = [host | {"service": "api", "outcome": "failed"}, host | {"service": "web"}]
    parts = [USUAL | {"service": name} for name in ("api", "web")]
    said = {"service": "shop", "outcome": "partial", "exit_code": 5, "group": MIXED, "services": parts, "hosts": hosts}
    return record(**said | words)


def record(**words: Any) -> Record:
    return Record.model_validate(USUAL | words)
