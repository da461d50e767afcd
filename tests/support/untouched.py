"""Proof that a service was left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.command import Ended
from tests.support.lab.deploy import Deployed


@contextmanager
def untouched(service: Deployed) -> Iterator[None]:
    """At its end ``current``, the process and what it answers are the same as at its beginning."""
    before = _state(service)
    assert before[1] != 0, "it does not run, so nobody can say whether it was touched"
    assert before[2] is not None
    yield
    assert _state(service) == before


def _state(service: Deployed) -> tuple[str, int, dict[str, Any] | None]:
    look = f"stat -c '%N %i' {service.root}/current; systemctl show -p MainPID --value {service.name}"
    *current, pid = service.host.run(look, check=False).stdout.splitlines()
    return "".join(current), int(pid), service.health()


def refusal(ended: Ended) -> str:
    """Why the only host was refused, as the record says it."""
    record = ended.document
    assert (ended.code, record["exit_code"]) == (1, 1), ended.err
    assert record["outcome"] == "refused"
    (host,) = record["hosts"]
    assert host["outcome"] in ("refused", "unreachable")
    assert not {"stop", "switch", "links", "start"} & {step["name"] for step in host["steps"]}
    return str(host["detail"])
