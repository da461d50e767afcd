"""What a person says of a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import Release
from tests.support.agent_sandbox import Sandbox

RUN, LATER = "20240101T000000Z-00000001", "20240102T000000Z-00000002"


@pytest.fixture(params=["dash", "busybox"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, str(request.param))


def release(sandbox: Sandbox, name: str) -> Release:
    found = sandbox.host.survey().release(name)
    assert found is not None
    return found


def told(sandbox: Sandbox, name: str) -> tuple[str, str, str]:
    found = release(sandbox, name)
    return found.mark, found.marked_by, found.marked_why


def test_a_mark_is_kept_with_the_run_and_the_reason(sandbox: Sandbox) -> None:
    sandbox.host.mark_as(RUN, "r2", "bad", "it loses $(messages) & 'quotes'")
    assert told(sandbox, "r2") == ("bad", RUN, "it loses $(messages) & 'quotes'")
    sandbox.host.mark_as(LATER, "r2", "good", "a false alarm")
    assert told(sandbox, "r2") == ("good", LATER, "a false alarm")
    sandbox.host.mark_as(LATER, "r2", "clear", "nobody knows")
    assert told(sandbox, "r2") == ("", "", "")


def test_a_mark_by_a_person_is_no_note_that_the_release_was_live(sandbox: Sandbox) -> None:
    sandbox.host.mark_as(RUN, "r2", "bad", "it loses messages")
    assert release(sandbox, "r2").live_since is None


def test_a_verification_leaves_the_name_of_its_run_and_no_reason(sandbox: Sandbox) -> None:
    sandbox.host.mark_as(RUN, "r3", "bad", "it loses messages")
    sandbox.host.record(LATER, {"r3": "good"}, "")
    assert told(sandbox, "r3") == ("good", LATER, "")


@pytest.mark.parametrize("name", ["r9", "../r2", ""])
def test_what_is_no_release_cannot_be_marked(sandbox: Sandbox, name: str) -> None:
    before = sandbox.listing()
    with pytest.raises(Refused):
        sandbox.host.mark_as(RUN, name, "bad", "it loses messages")
    assert sandbox.listing() == before


def test_a_mark_without_a_second_line_is_one_of_an_earlier_version(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r2": "bad"}, "")
    (sandbox.state / "marks" / "r2.bad").write_text(f"{RUN}\n")
    assert told(sandbox, "r2") == ("bad", RUN, "")
