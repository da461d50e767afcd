"""Publishing a rollback: the record in its file, the team's webhook, and GitHub's deployments."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import responses
from pydantic import SecretStr

from rollback_ops.core.changes import Changes, Commits
from rollback_ops.core.errors import ConnectionLost
from rollback_ops.core.record import Record, ReleaseRef
from rollback_ops.integrations.github.deployments import DeploymentRecorder
from rollback_ops.integrations.publish import Publisher, start_of, warned
from rollback_ops.integrations.webhook import Notifier
from tests.support.fakes import FakeHost, raising, releases
from tests.support.github_web import DEPLOYMENTS, PLACE, REDACT, deployment, sent, statuses
from tests.support.lab.ground import wait_until
from tests.support.receiver import receiver
from tests.support.records import USUAL, record


def notifier(url: str = "") -> Notifier:
    return Notifier(SecretStr(url) if url else None, REDACT, "json", ("start", "success", "failure"))


def written(file: Path) -> Record:
    return Record.model_validate_json(file.read_text())


def test_a_provisional_record_is_in_its_file_before_hosts_are_changed(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    provisional = record(outcome="cancelled", exit_code=143)
    Publisher(notifier(), None, [], file).changing(provisional)
    assert written(file) == provisional


def test_the_team_gets_a_message_about_the_start_and_one_about_the_end() -> None:
    with receiver() as team:
        publisher = Publisher(notifier(team.url), None, [], None)
        publisher.changing(record(outcome="cancelled", exit_code=143))
        publisher.ended(record())
        wait_until(lambda: any("event" in message for message in team.documents), 60, "the message about the start")
    begun = next(message for message in team.documents if "event" in message)
    assert (begun["change"], begun["reason"], begun["trigger"]) == ("b3 → b2", "logins fail", "manual")
    assert record().model_dump(mode="json", by_alias=True) in team.documents


def test_the_message_about_the_start_comes_first_where_its_commits_are_late() -> None:
    late = threading.Event()
    with receiver() as team:
        messages = Notifier(SecretStr(team.url), REDACT, "json", ("start", "success"), in_order=60)
        messages.started(start_of(record()), lambda: "b3" if late.wait(60) else "")
        threading.Timer(0.1, late.set).start()
        assert messages.ended(record()) == ()
    assert ["event" in message for message in team.documents] == [True, False]


def test_a_message_that_was_not_sent_is_a_warning_in_the_record_and_its_file(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    # A 404 is final: the notifier does not try again, so nothing waits.
    with receiver((404, {})) as team:
        ended = Publisher(notifier(team.url), None, [], file).ended(record())
    earlier, warning = ended.warnings
    assert earlier == "beware"
    assert "404" in warning
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


def test_requests_to_github_begin_after_the_hosts_were_changed(
    web: responses.RequestsMock,
) -> None:
    publisher = Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [], None)
    publisher.changing(record())
    before = len(web.calls)
    publisher.changed()
    wait_until(lambda: len(web.calls) > 0, 60, "the request to GitHub")
    assert (before, sent(web)) == (0, [])


def test_the_record_is_in_its_file_before_anything_is_sent(web: responses.RequestsMock, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    there: list[Record] = []

    def answer(_: object) -> tuple[int, dict[str, str], str]:
        there.append(written(file))
        return 201, {}, json.dumps(deployment(7))

    web.add_callback(responses.POST, DEPLOYMENTS, callback=answer)
    Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [], file).ended(record())
    assert there == [record()]


def test_the_webhook_and_github_are_called_concurrently(web: responses.RequestsMock) -> None:
    with receiver() as team:

        def answer(_: object) -> tuple[int, dict[str, str], str]:
            wait_until(lambda: bool(team.bodies), 60, "the message to the team")
            return 201, {}, json.dumps(deployment(7))

        web.add_callback(responses.POST, DEPLOYMENTS, callback=answer)
        ended = Publisher(notifier(team.url), DeploymentRecorder(PLACE, REDACT), [], None).ended(record())
    assert (ended.deployment.id, ended.warnings) == (7, ("beware",))


def test_only_rollbacks_to_releases_that_a_host_has_are_recorded_from_its_journal(web: responses.RequestsMock) -> None:
    web.post(DEPLOYMENTS, json=deployment(7), status=201)
    now = datetime.now(UTC)
    earlier = record(id="r1", run_url=f"{PLACE.runs}5", started_at=(now - timedelta(hours=2)).isoformat())
    forged = [
        earlier.model_copy(update={"id": "f1", "to": ReleaseRef(release="b9")}),
        earlier.model_copy(update={"id": "f2", "to": ReleaseRef(release="b2", revision="sha-b3")}),
        earlier.model_copy(update={"id": "f3", "from_": ReleaseRef(release="../b3")}),
        earlier.model_copy(update={"id": "f4", "service": "another"}),
        earlier.model_copy(update={"id": "f5", "environment": "test"}),
    ]
    lines = [each.line() for each in (*forged, earlier)]
    there = [
        FakeHost("gone", lines=["nonsense"]),
        FakeHost("deploy@bot1", releases("b1", "b2", "b3"), lines=lines),
    ]
    gone = {**USUAL["hosts"][0], "host": "gone", "outcome": "unreachable"}
    Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), there, None).ended(record(hosts=[gone, USUAL["hosts"][0]]))
    assert [document["payload"]["id"] for path, document in sent(web) if path.endswith("/deployments")] == [
        USUAL["id"],
        "r1",
    ]
    assert there[0].did("journal") == []


def test_a_journal_that_cannot_be_read_causes_no_warning(web: responses.RequestsMock) -> None:
    web.post(DEPLOYMENTS, json=deployment(7), status=201)
    lost = FakeHost("deploy@bot1", before={"journal": raising(ConnectionLost("it is gone"))})
    ended = Publisher(notifier(), DeploymentRecorder(PLACE, REDACT), [lost], None).ended(record())
    assert (ended.deployment.id, ended.warnings) == (7, ("beware",))


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "record.json"
    (_, warning) = Publisher(notifier(), None, [], file).ended(record()).warnings
    assert str(file) in warning
    assert "No such file or directory" in warning


def test_a_record_has_each_warning_once() -> None:
    assert warned(record(), "beware", "", "new", "new").warnings == ("beware", "new")


@pytest.mark.parametrize("asks_github", [False, True])
def test_what_is_taken_away_is_looked_at_while_hosts_are_at_work_and_asked_of_github_when_they_are_done(
    asks_github: bool,
) -> None:
    asked: list[tuple[str, str]] = []

    def between(old: str, new: str) -> Changes:
        asked.append((old, new))
        return Changes(Commits(3))

    publisher = Publisher(notifier(), None, [], None, between, asks_github=asks_github)
    assert publisher.changes(record()) is None
    publisher.changing(record())
    assert asked == []
    publisher.at_work()
    assert (publisher.changes(record()) is None) is asks_github
    publisher.changed()
    wait_until(lambda: publisher.changes(record()) == Changes(Commits(3)), 60, "the comparison")
    assert asked == [("sha-b2", "sha-b3")]


OLD, NEW = "0" * 39 + "2", "0" * 39 + "3"


@pytest.mark.parametrize(("changes", "leaves"), [(True, "2 commits"), (False, "")])
def test_the_message_about_the_start_waits_for_the_commits_until_the_hosts_are_changed_or_it_ends(
    changes: bool, leaves: str
) -> None:
    begun = record(to=ReleaseRef(release="b2", revision=OLD), **{"from": ReleaseRef(release="b3", revision=NEW)})
    with receiver() as team:
        between = {(OLD, NEW): Changes(Commits(2, source="github"))}
        publisher = Publisher(notifier(team.url), None, [], None, lambda old, new: between[old, new], asks_github=True)
        publisher.changing(begun)
        if changes:
            publisher.changed()
            wait_until(lambda: bool(team.documents), 60, "the message about the start")
        else:
            publisher.ended(begun)
        wait_until(lambda: any("event" in message for message in team.documents), 60, "the message about the start")
    (start,) = [message for message in team.documents if "event" in message]
    assert start["leaves"] == leaves
