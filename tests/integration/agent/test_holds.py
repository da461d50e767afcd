"""Holds as a host keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.hold import lift
from rollback_ops.core.model import HeldRelease, Hold
from tests.support.agent_sandbox import BAD, RUN, Sandbox

LEFT = (HeldRelease("r3", "c27d5e9b18"),)
HOLD = Hold(RUN, "ana", "it loses $(messages) & 'quotes' \\n", 1_800_000_000.0, 1_800_086_400.0, LEFT)
OTHER = Hold("20240102T000000Z-00000002", "bob", "the fair is on", 1_800_000_000.0, 1_800_003_600.5)


@pytest.fixture(params=["dash", "busybox"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, str(request.param))


def test_holds_are_kept_written_over_and_forgotten(sandbox: Sandbox) -> None:
    assert sandbox.host.survey().holds == ()
    sandbox.host.write_holds([HOLD, OTHER])
    assert sandbox.host.survey().holds == (HOLD, OTHER)
    lifted = lift(HOLD, "bob", "a false alarm", 1_800_000_060.0)
    sandbox.host.write_holds([lifted], [OTHER.id])
    assert sandbox.host.survey().holds == (lifted,)


def test_a_record_sets_the_hold_of_its_run_beside_its_marks(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r3": BAD}, '{"schema_version":2}', HOLD)
    found = sandbox.host.survey()
    assert (found.holds, found.release("r3").mark) == ((HOLD,), "bad")  # type: ignore[union-attr]
    assert sandbox.journal() == [{"schema_version": 2}]
    assert not (sandbox.state / "live" / "hold").exists()


def test_another_service_on_the_same_root_has_holds_of_its_own(sandbox: Sandbox) -> None:
    sandbox.host.write_holds([HOLD])
    assert sandbox.beside("other", "prod").host.survey().holds == ()


@pytest.mark.parametrize("name", ["../../escape", ".hidden", "a b", ""])
def test_a_hold_whose_name_is_no_name_of_a_run_is_refused(sandbox: Sandbox, name: str) -> None:
    before = sandbox.listing()
    with pytest.raises(Refused):
        sandbox.host.write_holds([Hold(name, "ana", "why", 1.0, 2.0)])
    assert [entry[0] for entry in sandbox.listing() if entry[0].endswith("escape")] == []
    assert [entry for entry in sandbox.listing() if "/holds/" in entry[0]] == [e for e in before if "/holds/" in e[0]]


def test_what_lies_among_the_holds_and_is_none_holds_everything(sandbox: Sandbox) -> None:
    sandbox.host.write_holds([HOLD])
    (sandbox.state / "holds" / RUN).write_text("")
    (sandbox.state / "holds" / "a directory").mkdir()
    (found,) = sandbox.host.survey().holds
    assert (found.id, found.readable, found.releases) == (RUN, False, ())
