"""``advise``, ``outlook`` and ``guard --rehearse`` as commands, on a service of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK, WHY, at_once
from tests.support.stored_metrics import keeping

LOCAL = ("prod", "--local")


@pytest.fixture
def rollback_ops(tmp_path: Path) -> RollbackOps:
    return RollbackOps(tmp_path)


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy"}) as service:
        yield service


@pytest.fixture
def unhealthy(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "unhealthy"}) as service:
        yield service


# --- advise ----------------------------------------------------------------------------------------------


def test_nothing_is_to_be_done_with_a_healthy_release(rollback_ops: RollbackOps, healthy: OwnService) -> None:
    rollback_ops.settings(healthy.toml(verify=QUICK))
    ended = rollback_ops("advise", *LOCAL, "--json")
    assert ended.code == 0, ended.err
    found = ended.document
    assert (found["decision"], found["live"], found["target"], found["command"]) == ("nothing", "b2", "b1", None)
    assert {rule["holds"] for rule in found["rules"]} == {False}


def test_an_unhealthy_release_should_go_back_and_nothing_is_changed(
    rollback_ops: RollbackOps, unhealthy: OwnService
) -> None:
    rollback_ops.settings(at_once(unhealthy))
    ended = rollback_ops("advise", *LOCAL)
    assert ended.code == 2, ended.err
    assert "rollback-ops rollback prod" in ended.out
    assert "503" in ended.out
    document = rollback_ops("advise", *LOCAL, "--json").document
    assert document["decision"] == "automatic"
    assert [rule["name"] for rule in document["rules"] if rule["holds"]] == ["check-fails"]
    assert unhealthy.health() == ("unhealthy", "b2")
    marks = rollback_ops("list", *LOCAL, "--json").document["hosts"][0]["releases"]
    assert [release["mark"] for release in marks] == ["", ""]
    assert rollback_ops("history", "list", *LOCAL, "--json").document["records"] == []


def test_where_no_rollback_can_be_done_none_is_recommended(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", {"b1": "unhealthy"}) as service:
        rollback_ops.settings(at_once(service))
        ended = rollback_ops("advise", *LOCAL, "--json")
    assert (ended.code, ended.document["decision"], ended.document["command"]) == (1, "automatic", None)
    assert ended.document["why_none"]


def test_a_workflow_gets_the_advice_in_its_summary_and_as_an_output(
    rollback_ops: RollbackOps, unhealthy: OwnService, tmp_path: Path
) -> None:
    rollback_ops.settings(at_once(unhealthy))
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    summary.touch()
    outputs.touch()
    files = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    ended = rollback_ops("advise", *LOCAL, GITHUB_ACTIONS="true", **files)
    assert ended.code == 2, ended.err
    assert "Advice" in summary.read_text()
    assert "decision<<" in outputs.read_text()
    assert "\nautomatic\n" in outputs.read_text()


# --- outlook ---------------------------------------------------------------------------------------------


def test_an_outlook_says_what_is_ready_and_forbids_nothing(
    rollback_ops: RollbackOps, unhealthy: OwnService, tmp_path: Path
) -> None:
    rollback_ops.settings(unhealthy.toml(verify=QUICK))
    here = tmp_path
    who = ["-c", "user.name=ana", "-c", "user.email=ana@example.org"]
    subprocess.run(["git", "init", "-q", here], check=True)
    for number in (1, 2):
        (here / f"file{number}").write_text("line\n" * 40)
        subprocess.run(["git", "-C", here, "add", f"file{number}"], check=True)
        subprocess.run(["git", "-C", here, *who, "commit", "-q", "-m", f"Change {number}"], check=True)
    shas = subprocess.run(["git", "-C", here, "log", "--format=%H"], check=True, capture_output=True, text=True)
    new, old = shas.stdout.split()
    (unhealthy.root / "releases/b2/REVISION").write_text(f"{old}\n")

    ended = rollback_ops("outlook", *LOCAL, "--revision", new, "--json")
    assert ended.code == 0, ended.err
    found = ended.document
    ready = {each["name"]: each["holds"] for each in found["readiness"]}
    assert (ready["target"], ready["seal"], ready["hosts"], ready["drill"]) == (None, False, True, None)
    assert found["base_rate"]["total"] == 2
    assert (found["chance_of_failure"], found["report_card"]) == (None, None)
    assert "not enough history" in found["why_no_number"]
    assert rollback_ops("seal", *LOCAL).code == 0
    assert rollback_ops("rollback", *LOCAL, *WHY).code == 0
    after = rollback_ops("outlook", *LOCAL, "--json").document
    assert after["base_rate"]["failed"] == 1
    shown = rollback_ops("outlook", *LOCAL)
    assert (shown.code, "1 of 2" in shown.out) == (0, True)


# --- rehearse --------------------------------------------------------------------------------------------


def test_a_rehearsal_counts_how_often_a_healthy_service_would_have_gone_back(
    rollback_ops: RollbackOps, healthy: OwnService
) -> None:
    with keeping(errors=lambda at: 0.25 * at, total=lambda at: 50 * at) as url:
        metric = {"kind": "metric", "source": "prometheus", "baseline": "before", "url": url,
                  "errors": "errors", "total": "total"}  # fmt: skip
        rollback_ops.settings(healthy.toml(verify=QUICK, checks={"errors": metric}))
        for release in ("b1", "b2"):
            # Older than what is rehearsed.
            subprocess.run(["touch", "-d", "2 days ago", healthy.root / "releases" / release], check=True)
        ended = rollback_ops("guard", *LOCAL, "--rehearse", "4h", "--window", "20m", "--json")
        assert ended.code == 0, ended.err
        found = ended.document
        assert found["rolled_back"] == 0
        assert found["trials"] == sum(moment["counted"] for moment in found["moments"])
        assert found["exceeds_alpha"] is False
        shown = rollback_ops("guard", *LOCAL, "--rehearse", "4h")
        assert (shown.code, "0 of " in shown.out) == (0, True)
    down = rollback_ops("guard", *LOCAL, "--rehearse", "4h")
    assert down.code == 1
    assert healthy.health() == ("ok", "b2")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("--rehearse", "7x"), "--rehearse"),
        (("--rehearse", "60d"), "--rehearse"),
        (("--rehearse", "7d", "--group", "shop"), "--rehearse"),
        (("--rehearse", "7d", "--window", "20s"), "--window"),
        (("--rehearse", "7d", "--window", "0s"), "--window"),
        (("--since", "yesterday"), "--since"),
        (("--since", "2999-01-01T00:00:00Z"), "--since"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    rollback_ops: RollbackOps, healthy: OwnService, typed: tuple[str, ...], told: str
) -> None:
    metric = {"kind": "metric", "source": "prometheus", "baseline": "before", "url": "http://127.0.0.1:9",
              "errors": "errors", "total": "total"}  # fmt: skip
    rollback_ops.settings(healthy.toml(verify=QUICK, checks={"errors": metric}))
    ended = rollback_ops("guard", *LOCAL, *typed)
    assert (ended.code, told in ended.err) == (64, True), ended.err
