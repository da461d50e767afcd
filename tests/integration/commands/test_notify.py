"""Messages about a real rollback, to a webhook on loopback: they tell what happened, and never change it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.on_this_machine import OwnService
from tests.support.receiver import SECRET, receiver
from tests.support.scene import QUICK, WHY, at_once


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "bot", {"b1": "unhealthy", "b2": "healthy", "b3": "unhealthy"}) as service:
        yield service


@pytest.fixture
def rollback_ops(tmp_path: Path, own_service: OwnService) -> RollbackOps:
    command = RollbackOps(tmp_path)
    command.settings(own_service.toml(verify=QUICK))
    return command


def roll_back(rollback_ops: RollbackOps, url: str, *arguments: str, **variables: str) -> Ended:
    ended = rollback_ops("rollback", "prod", "--local", *WHY, *arguments, ROLLBACK_WEBHOOK_URL=url, **variables)
    assert SECRET not in ended.out + ended.err
    assert "hunter2" not in ended.out + ended.err
    return ended


def test_the_team_is_told_when_a_rollback_begins_and_when_it_has_worked(
    rollback_ops: RollbackOps, own_service: OwnService
) -> None:
    rollback_ops.settings(own_service.toml(verify=QUICK, notify={"on": ["start", "success", "failure"]}))
    with receiver() as team:
        ended = roll_back(rollback_ops, team.url, "--json")
    assert (ended.code, ended.document["warnings"]) == (0, [])
    assert own_service.health() == ("ok", "b2")
    begun, done = sorted((message["text"] for message in team.documents), key=lambda text: "started" not in text)
    assert (begun != done, "b3 → b2" in begun) == (True, True)
    assert "logins fail since the deploy" in done
    assert "bot, prod" in begun.splitlines()[0]
    assert "bot, prod" in done.splitlines()[0]


def test_the_record_itself_is_sent_where_json_is_asked_for(rollback_ops: RollbackOps) -> None:
    with receiver() as team:
        ended = roll_back(rollback_ops, team.url, "--json", ROLLBACK_WEBHOOK_FORMAT="json")
    assert team.documents == [ended.document]


def test_the_team_is_told_of_a_failure(rollback_ops: RollbackOps, own_service: OwnService) -> None:
    rollback_ops.settings(at_once(own_service))
    with receiver() as team:
        ended = roll_back(rollback_ops, team.url, "--to", "b1", "--json")
    assert (ended.code, ended.document["warnings"]) == (2, [])
    (told,) = team.documents
    assert "bot, prod" in told["text"].splitlines()[0]
    assert ("health" in told["text"], "localhost" in told["text"]) == (True, True)


def test_nobody_is_told_where_nothing_was_done(rollback_ops: RollbackOps, own_service: OwnService) -> None:
    every = {"on": ["start", "success", "failure"]}
    rollback_ops.settings(at_once(own_service, notify=every))
    with receiver() as team:
        assert roll_back(rollback_ops, team.url, "--dry-run").code == 0
        assert roll_back(rollback_ops, team.url, "--if-current", "b1").code == 0
        for command in ("check", "verify", "list"):
            rollback_ops(command, "prod", "--local", ROLLBACK_WEBHOOK_URL=team.url)
    assert own_service.health() == ("unhealthy", "b3")
    assert team.bodies == []


def test_a_guard_tells_of_its_rollback_and_is_silent_when_all_is_well(
    rollback_ops: RollbackOps, own_service: OwnService
) -> None:
    rollback_ops.settings(at_once(own_service))
    with receiver() as team:
        assert rollback_ops("guard", "prod", "--local", ROLLBACK_WEBHOOK_URL=team.url).code == 2
        assert rollback_ops("guard", "prod", "--local", ROLLBACK_WEBHOOK_URL=team.url).code == 0
    (told,) = team.documents
    assert "(automatic: verification-failed)" in told["text"]


def test_a_receiver_that_is_down_is_a_warning_and_changes_nothing(
    rollback_ops: RollbackOps, own_service: OwnService, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/services/{SECRET}/hunter2"
    ended = roll_back(rollback_ops, url, "--json", "--record", "record.json")
    assert ended.code == 0
    assert own_service.health() == ("ok", "b2")
    (warning,) = ended.document["warnings"]
    assert f"! {warning}" in ended.err
    assert SECRET not in warning + ended.err
    assert json.loads((tmp_path / "record.json").read_text()) == ended.document


def test_a_receiver_that_wants_a_pause_gets_one(rollback_ops: RollbackOps) -> None:
    with receiver((429, {"Retry-After": "1"}), (200, {})) as team:
        ended = roll_back(rollback_ops, team.url, "--json")
    assert (ended.code, ended.document["warnings"]) == (0, [])
    assert len(team.bodies) == 2
    assert team.bodies[0] == team.bodies[1]


def test_a_receiver_that_hangs_holds_nobody_up(rollback_ops: RollbackOps, own_service: OwnService) -> None:
    rollback_ops.settings(own_service.toml(verify=QUICK, notify={"on": ["start", "success"]}))
    with receiver((0, {})) as team:
        # It has answered nothing when the command ends.
        ended = roll_back(rollback_ops, team.url, "--json")
    assert ended.code == 0
    assert ended.document["warnings"]
