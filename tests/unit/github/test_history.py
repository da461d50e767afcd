"""Records are read back from the payloads of deployments, which other programs write too."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_ops.integrations.github.history import read_payloads
from tests.support.records import USUAL


def test_records_come_newest_first_and_each_once() -> None:
    earlier = {**USUAL, "id": "r1", "started_at": "2024-01-01T00:00:00Z", "key": "1/1/bot/prod"}
    records, unreadable = read_payloads([earlier, USUAL, earlier])
    assert ([record.id for record in records], unreadable) == ([USUAL["id"], "r1"], 0)


def test_the_deployment_that_a_record_was_read_from_is_in_it() -> None:
    (record,), _ = read_payloads([{**USUAL, "deployment": {"id": 7, "url": "https://api.example.org/7"}}])
    assert (record.deployment.id, record.deployment.url) == (7, "https://api.example.org/7")


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"web_url": "https://example.org"},
        {**USUAL, "schema_version": 0},
        {**USUAL, "schema_version": 3},
        {**USUAL, "schema_version": "1"},
        {**USUAL, "outcome": "exploded"},
        {**USUAL, "started_at": "yesterday"},
        {**USUAL, "hosts": [[]]},
        {"schema_version": 1},
    ],
)
def test_payloads_without_a_readable_record_are_counted(payload: dict[str, Any] | None) -> None:
    records, unreadable = read_payloads([payload, USUAL])
    assert ([record.id for record in records], unreadable) == ([USUAL["id"]], 1)
