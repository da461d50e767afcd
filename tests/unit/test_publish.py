"""Who is told of a rollback besides the person at the terminal, and what becomes of telling them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import responses
from pydantic import SecretStr

from rollback_ops.core.errors import ConnectionLost
from rollback_ops.core.record import Record
from rollback_ops.integrations.github.deployments import DeploymentRecorder
from rollback_ops.integrations.publish import Publisher, warned
from rollback_ops.integrations.webhook import Notifier
from tests.support.fakes import FakeHost, raising
from tests.support.github_web import DEPLOYMENTS, PLACE, REDACT, deployment, sent, statuses
from tests.support.lab.ground import wait_until
from tests.support.receiver import receiver
from tests.support.records import USUAL, record


def notifier(url: str = "") -> Notifier:
    return Notifier(SecretStr(url) if url else None, REDACT, "json", ("start", "success", "failure"))


def written(file: Path) -> Record:
    return Record.model_validate_json(file.read_text())


def test_the_record_of_a_killed_program_is_in_its_file_as_soon_as_hosts_are_about_to_be_changed(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    provisional = record(outcome="cancelled", exit_code=143)
    Publisher(notifier(), None, [], file).changing(provisional)
    assert written(file) == provisional


def test_the_team_is_told_what_goes_and_what_comes() -> None:
    with receiver() as team:
        publisher = Publisher(notifier(team.url), None, [], None)
        publisher.changing(record(outcome="cancelled", exit_code=143))
        publisher.ended(record())
    begun = next(message for message in team.documents if "event" in message)
    assert (begun["change"], begun["reason"], begun["trigger"]) == ("b3 → b2", "logins fail", "manual")
    assert record().model_dump(mode="json", by_alias=True) in team.documents


def test_what_could_not_be_told_is_in_the_record_and_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    ended = Publisher(notifier(url), None, [], file).ended(record())
    assert ended.warnings == ("beware", "the message about the end was not sent: the connection was refused")
    assert written(file) == ended


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")
        mock.get(DEPLOYMENTS, json=[])
        mock.post(statuses(7), json={"state": "any"}, status=201)
        yield mock


def test_the_deployment_is_in_the_record_and_in_its_file(web: responses.RequestsMock, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    web.post(DEPLOYMENTS, json=deployment(7), status=201)
    ended = Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [], file).ended(record())
    assert (ended.deployment.id, ended.warnings) == (7, ("beware",))
    assert written(file) == ended


def test_github_is_asked_beside_the_verification_and_not_before_the_hosts_are_changed(
    web: responses.RequestsMock,
) -> None:
    publisher = Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [], None)
    publisher.changing(record())
    before = len(web.calls)
    publisher.changed()
    wait_until(lambda: len(web.calls) > 0, 10, "GitHub being asked")
    assert (before, sent(web)) == (0, [])


def test_the_record_is_in_its_file_before_anybody_is_told(web: responses.RequestsMock, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    there: list[Record] = []

    def answer(_: object) -> tuple[int, dict[str, str], str]:
        there.append(written(file))
        return 201, {}, json.dumps(deployment(7))

    web.add_callback(responses.POST, DEPLOYMENTS, callback=answer)
    Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [], file).ended(record())
    assert there == [record()]


def test_the_team_and_github_are_told_at_the_same_time(web: responses.RequestsMock) -> None:
    with receiver() as team:

        def answer(_: object) -> tuple[int, dict[str, str], str]:
            wait_until(lambda: bool(team.bodies), 4, "the team being told")
            return 201, {}, json.dumps(deployment(7))

        web.add_callback(responses.POST, DEPLOYMENTS, callback=answer)
        ended = Publisher(notifier(team.url), DeploymentRecorder(PLACE, REDACT), [], None).ended(record())
    assert (ended.deployment.id, ended.warnings) == (7, ("beware",))


def test_the_journal_of_a_host_that_was_there_is_read_for_what_is_missing(web: responses.RequestsMock) -> None:
    web.post(DEPLOYMENTS, json=deployment(7), status=201)
    now = datetime.now(UTC)
    earlier = record(id="r1", run_url=f"{PLACE.runs}5", started_at=(now - timedelta(hours=2)).isoformat())
    there = [FakeHost("gone", lines=["nonsense"]), FakeHost("deploy@bot1", lines=[earlier.line()])]
    gone = {**USUAL["hosts"][0], "host": "gone", "outcome": "unreachable"}
    Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), there, None).ended(record(hosts=[gone, USUAL["hosts"][0]]))
    assert [document["payload"]["id"] for path, document in sent(web) if path.endswith("/deployments")] == [
        USUAL["id"],
        "r1",
    ]
    assert there[0].did("journal") == []


def test_a_journal_that_cannot_be_read_is_left_for_another_time(web: responses.RequestsMock) -> None:
    web.post(DEPLOYMENTS, json=deployment(7), status=201)
    lost = FakeHost("deploy@bot1", before={"journal": raising(ConnectionLost("it is gone"))})
    ended = Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [lost], None).ended(record())
    assert (ended.deployment.id, ended.warnings) == (7, ("beware",))


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "record.json"
    (_, told) = Publisher(notifier(), None, [], file).ended(record()).warnings
    assert told == f"the record could not be written to {file}: No such file or directory"


def test_a_warning_stands_once_in_a_record() -> None:
    assert warned(record(), "beware", "", "new", "new").warnings == ("beware", "new")
