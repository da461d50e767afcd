"""Removing the installed program: what goes, what stays, and when nothing may."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import UninstallOutcome
from tests.support.agent_sandbox import GOOD, RUN
from tests.support.breakglass_sandbox import Standalone, text_of


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Standalone:
    return Standalone(tmp_path, shell)


def remove(sandbox: Standalone, *, purge: bool = False) -> UninstallOutcome:
    return sandbox.host.uninstall(text_of(sandbox), purge=purge)


def test_the_program_goes_and_marks_and_journal_stay(sandbox: Standalone) -> None:
    sandbox.switch()
    sandbox.host.record(RUN, {"r2": GOOD}, '{"event":"record"}')

    assert remove(sandbox) == "removed"
    assert remove(sandbox) == "absent"
    assert not sandbox.program.exists()
    assert sandbox.journal()
    assert {release.name: release.mark for release in sandbox.host.survey().releases}["r2"] == "good"


def test_purge_leaves_the_releases_and_nothing_of_ours(sandbox: Standalone) -> None:
    sandbox.switch()
    sandbox.host.record(RUN, {"r2": GOOD}, '{"event":"record"}')

    assert remove(sandbox, purge=True) == "purged"
    assert not sandbox.store.exists()
    assert sandbox.current.resolve().name == "r2"
    assert remove(sandbox, purge=True) == "purged"


def test_purge_leaves_what_another_service_of_the_root_has_stored(sandbox: Standalone) -> None:
    other = sandbox.beside("lily", "prod")
    other.host.record("20240101T000000Z-00000009", {"r3": GOOD}, '{"event":"record"}')

    assert remove(sandbox, purge=True) == "purged"
    assert not sandbox.state.exists()
    assert (other.state / "marks").exists()
    assert sandbox.journal()


def test_nothing_is_removed_while_a_run_still_needs_it(sandbox: Standalone) -> None:
    sandbox.switch()

    with pytest.raises(Refused) as refused:
        remove(sandbox, purge=True)
    assert RUN in refused.value.message
    assert sandbox.program.exists()
    assert sandbox.state.exists()


def test_the_program_of_another_environment_stays(sandbox: Standalone) -> None:
    other = sandbox.beside("rosey", "test")
    assert other.host.uninstall(text_of(other), purge=False) == "absent"
    assert sandbox.program.exists()
