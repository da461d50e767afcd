"""A host remembers a drill from its way back to its way forward, and forgets it when another release is live."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from rollback_ops.core.model import OpenDrill
from tests.support.agent_sandbox import RUN, Sandbox

LATER = "20240102T000000Z-00000002"
LATEST = "20240103T000000Z-00000003"
# Nothing else in an intent can look like the trigger: a text has its quotes escaped.
REASON = json.dumps({"event": "intent", "reason": '"trigger":"drill"', "trigger": "manual"}, separators=(",", ":"))
DRILL = json.dumps({"event": "intent", "reason": "a drill", "trigger": "drill"}, separators=(",", ":"))


@pytest.fixture(params=["dash", "busybox"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, str(request.param))


def go(sandbox: Sandbox, target: str, run: str, intent: str) -> OpenDrill | None:
    """Carry a transaction out from what is live now. Returns the drill that is open after it."""
    source = str(sandbox.current.resolve())
    assert sandbox.switch(target, run=run, source=source, intent=intent)[0].outcome == "switched"
    sandbox.host.record(run, {}, "")
    return sandbox.host.survey().open_drill


def test_a_drill_is_open_until_its_way_forward(sandbox: Sandbox) -> None:
    assert go(sandbox, "r2", RUN, DRILL) == OpenDrill(RUN, "r3", "r2")
    assert go(sandbox, "r3", LATER, DRILL) is None
    assert not (sandbox.state / "drill").exists()


def test_a_rollback_to_another_release_ends_it(sandbox: Sandbox) -> None:
    go(sandbox, "r2", RUN, DRILL)
    assert go(sandbox, "r1", LATER, REASON) is None
    assert go(sandbox, "r2", LATEST, REASON) is None


def test_a_transaction_that_is_refused_or_put_back_leaves_it_open(sandbox: Sandbox) -> None:
    go(sandbox, "r2", RUN, DRILL)
    refused, _ = sandbox.switch("r1", run=LATER, source="/nowhere", intent=REASON)
    assert (refused.outcome, sandbox.host.survey().open_drill) == ("refused", OpenDrill(RUN, "r3", "r2"))


def test_a_deployment_that_is_looked_at_ends_it(sandbox: Sandbox) -> None:
    go(sandbox, "r2", RUN, DRILL)
    for live in ("r1", "r2"):
        sandbox.current.unlink()
        sandbox.current.symlink_to(sandbox.releases / live)
        sandbox.host.record(LATER, {"r1": ("good", "")}, "")
    assert sandbox.host.survey().open_drill is None


def test_a_verification_beside_a_drill_that_begins_leaves_it_open(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r3": ("good", "")}, "")
    noted = sandbox.state / "drill"
    noted.write_text(f"{RUN}\tr3\tr2\n")
    with (sandbox.state / "lock").open("a") as lock:
        # As a worker does, until it has ended.
        fcntl.flock(lock, fcntl.LOCK_EX)
        sandbox.host.record(LATER, {"r3": ("good", "")}, "")
    assert noted.exists()
