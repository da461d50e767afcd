"""A record that tries to become a part of the page: markup in every field that is a text."""

from __future__ import annotations

from typing import Any

from rollback_ops.core.record import Record
from tests.support.records import record

# Each would run, or fetch something, if one character of it were not escaped. {} tells them apart.
ATTACKS = (
    "<script>window.hit='{}'</script>",
    "<img src='http://127.0.0.1:9/{}' onerror=\"window.hit='{}'\">",
    "\"'><svg onload=window.hit='{}'>",
    "</style></title></textarea><iframe srcdoc='<script>parent.hit=1</script>'>{}",
    "' autofocus onfocus=window.hit='{}' x='",
    "{{{{ 7 * 7 }}}}{{% raw %}}{}",
    "<base href=http://127.0.0.1:9/><meta http-equiv=refresh content='0;url=http://127.0.0.1:9/{}'>",
    "<link rel=stylesheet href=http://127.0.0.1:9/{}>@import 'http://127.0.0.1:9/'",
)
ADDRESSES = ("javascript:window.hit=1", "data:text/html,<script>window.hit=1</script>", "//127.0.0.1:9/", "vbscript:x")


def hostile(number: int, **words: Any) -> Record:
    """A record of which each text is the attack of this number, and each address is no page."""
    evil, address = ATTACKS[number % len(ATTACKS)].format(number, number), ADDRESSES[number % len(ADDRESSES)]
    ref = {"release": evil, "revision": evil, "deployed_at": None}
    host = {
        "host": evil,
        "outcome": "failed",
        "from": ref,
        "to": ref | {"release": f"{evil} too"},
        "downtime_seconds": 1.0,
        "steps": [{"name": evil, "seconds": 0.1, "outcome": "failed", "detail": evil}],
        "checks": [{"name": evil, "kind": evil, "outcome": "failed", "detail": evil, "seconds": 0.5}],
        "detail": evil,
        "region": evil,
        "superseded_by": {"release": evil, "run": evil, "actor": evil, "run_url": address},
    }
    share = {"region": evil, "hosts": 1, "canary": 1, "max_parallel": 1, "max_failures": 0}
    strategy = {"told": [evil], "hosts": 1, "max_failures": 0, "shares": [share], "stopped": evil, "then": evil}
    fields: dict[str, Any] = {
        "schema_version": 2,
        "id": evil,
        "service": evil,
        "environment": evil,
        "reason": evil,
        "actor": evil,
        "run_url": address,
        "outcome": "failed",
        "from": ref,
        "to": ref,
        "rejected": [{"release": evil, "why": evil}],
        "hosts": [host],
        "deployment": {"id": 1, "url": address},
        "superseded_by": {"release": evil, "run": evil, "actor": evil, "run_url": address},
        "hold": {"releases": [ref], "since": "2024-01-02T03:04:07.178Z", "until": "2024-01-03T03:04:07.178Z"},
        "plan": {"id": evil, "hash": evil},
        "strategy": strategy,
        "waves": [{"number": 1, "role": evil, "region": evil, "hosts": [evil]}],
        "evidence": [
            {"check": evil, "source": evil, "baseline": evil, "verdict": "worse", "detail": evil, "alpha": 0.01,
             "needed": 100, "e_worse": 120, "e_not_worse": 0.1}
        ],
        "warnings": [evil],
    }  # fmt: skip
    return record(**fields | words)
