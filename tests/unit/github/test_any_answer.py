"""Any answer in place of GitHub's is usable, or ends in a message."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import responses
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollback_ops.integrations.github.api import Api, GitHubError
from rollback_ops.integrations.github.client import DeploymentClient
from rollback_ops.integrations.github.deployments import DeploymentRecorder
from rollback_ops.integrations.github.history import read_payloads
from rollback_ops.integrations.github.permission import check_permission
from tests.support.github_web import PLACE, REDACT, address
from tests.support.records import USUAL, record

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "id": ANYTHING | st.integers(),
        "url": ANYTHING,
        "sha": ANYTHING,
        "environment": ANYTHING,
        "payload": ANYTHING | st.just(json.dumps(USUAL)),
        "permission": ANYTHING | st.sampled_from(["read", "write", "admin"]),
        "role_name": ANYTHING,
        "user": ANYTHING | st.fixed_dictionaries({"permissions": ANYTHING}),
        "state": ANYTHING | st.just("active"),
        "message": ANYTHING,
    },
)
BODIES = st.one_of(
    st.binary(max_size=100),
    (ANYTHING | NEARLY | st.lists(NEARLY, max_size=3)).map(lambda document: json.dumps(document).encode()),
)
EVERYTHING = address("/.*")
STATUSES = st.sampled_from([200, 201, 301, 302, 304, 400, 401, 403, 404, 409, 422, 429, 500, 503])

ASKING: list[Callable[[Api], Any]] = [
    lambda api: api.deployments(task="rollback"),
    lambda api: api.create({"ref": "main"}),
    lambda api: api.state(7),
    lambda api: api.add_status(7, {"state": "success"}),
    lambda api: api.permission("alice"),
    lambda api: api.membership("acme", "ops", "alice"),
]


@settings(max_examples=25)
@given(body=BODIES, status=STATUSES)
@example(body=b'[{"id": 1, "payload": "{\\"id\\": \\"\\ud800\\"}", "url": "\\ud800"}]', status=200)
@example(body=b"[" * 100_000, status=200)
@example(body=b'{"message": ["<html>"]}', status=403)
@example(body=b'{"permission": "write", "role_name": {}, "user": {"permissions": []}}', status=200)
def test_any_answer_is_usable_or_ends_in_a_message(body: bytes, status: int) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for method in ("GET", "POST"):
            web.add(method, EVERYTHING, body=body, status=status)
        for asking in ASKING:
            with contextlib.suppress(GitHubError):
                asking(Api(PLACE, REDACT))
        with contextlib.suppress(GitHubError):
            read_payloads(next(DeploymentClient(PLACE, REDACT).pages()))
        for required in ("maintain", "@acme/ops"):
            check_permission(required, "alice", PLACE, REDACT, allow_unchecked=False)
        filed = DeploymentRecorder(PLACE, REDACT).record(record(), 20.0, lambda: [record(id="r1")])
        assert filed.deployment.id is not None or filed.warnings
