"""The plan of a rollback in waves, as it is stored in a journal."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from rollback_ops.core.rollout import Rollout, Share, Wave
from rollback_ops.core.stored_plan import StoredPlan, read_plan


def plan(count: int) -> StoredPlan:
    hosts = tuple(f"deploy@web-{number:04}.eu-west-1.example.org" for number in range(count))
    share = Share(count, 1, 10, 0)
    waves = (Wave(1, hosts[:1], "canary"), Wave(2, hosts[1:]))
    return StoredPlan(
        id="20261126T221502Z-0123abcd",
        service="bot",
        environment="prod",
        at="2026-11-26T22:15:02.000Z",
        target="20261126221502",
        revision="a" * 40,
        sources=dict.fromkeys(hosts, "20261126231502"),
        done=(),
        rollout=Rollout(waves, (share,), 0),
        targets={},
    )


@pytest.mark.parametrize("count", [2, 300, 2000])
def test_a_plan_of_many_hosts_fits_into_a_journal_and_is_read_back(count: int) -> None:
    line = plan(count).line()
    assert 0 < len(line) <= 48_000
    assert line.startswith('{"event":"plan","id":"20261126T221502Z-0123abcd","service":"bot","environment":"prod",')
    assert read_plan(line) == plan(count)


def test_a_plan_that_does_not_fit_is_not_stored_at_all() -> None:
    assert plan(50_000).line() == ""


@pytest.mark.parametrize(
    "packed",
    [
        7,
        "no base64",
        base64.b64encode(b"not packed").decode(),
        base64.b64encode(zlib.compress(b"[]")).decode(),
        base64.b64encode(zlib.compress(b"[" * 100_000)).decode(),
        base64.b64encode(zlib.compress(b" " * 50_000_000 + b"{}")).decode(),
    ],
)
def test_what_somebody_else_packed_is_no_plan(packed: object) -> None:
    assert read_plan(json.dumps({"event": "plan", "packed": packed}, separators=(",", ":"))) is None


def test_a_packed_plan_that_was_changed_is_none() -> None:
    event = json.loads(plan(2).line()) | {"target": "another"}
    packed = base64.b64encode(zlib.compress(json.dumps(event).encode())).decode()
    assert read_plan(json.dumps({"event": "plan", "packed": packed}, separators=(",", ":"))) is None
