"""`dashboard --out`: a page from the hosts or from GitHub, and what bad input gets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.github_api.server import GitHubApi, github_api
from tests.support.html_reader import Page
from tests.support.lab.toml import dump
from tests.support.on_this_machine import OwnService
from tests.support.workflow import Workflow

BUTTON = "https://github.example.org/{}/actions/workflows/{}"


@pytest.fixture(scope="module")
def api() -> Iterator[GitHubApi]:
    with github_api() as there:
        yield there


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory, api: GitHubApi) -> Iterator[Workflow]:
    """A service that was rolled back once, in a workflow."""
    directory = tmp_path_factory.mktemp("dashboard")
    with OwnService(directory / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as service:
        found = Workflow(service, RollbackOps(directory), api)
        assert found.roll_back().code == 0
        yield found


def page_of(workflow: Workflow, *arguments: str, **variables: str) -> Page:
    path = workflow.command.directory / "page.html"
    ended = workflow("dashboard", "--out", str(path), *arguments, **variables)
    assert ended.code == 0, ended.err
    return Page(path.read_text())


def test_the_hosts_say_what_is_live_and_what_happened(workflow: Workflow, api: GitHubApi) -> None:
    page = page_of(workflow, "--local")
    assert "healthy" in page.text
    assert "Rolled back from b3 because: logins fail since the deploy" in page.text
    assert f"#record-{workflow.record['id']}" in page.links
    assert BUTTON.format(api.repository.name, "rollback.yml") in page.links
    assert workflow.api.token not in page.source


def test_github_alone_says_what_was_rolled_back_and_not_whether_it_is_healthy(
    workflow: Workflow, api: GitHubApi
) -> None:
    (workflow.command.directory / "rollback.toml").unlink()
    page = page_of(workflow, "--source", "github", "--workflow", "back it up.yml")
    workflow.settings()
    assert "unknown" in page.text
    assert f"#record-{workflow.record['id']}" in page.links
    assert BUTTON.format(api.repository.name, "back%20it%20up.yml") in page.links


def test_without_a_repository_there_is_no_button_and_the_command_is_shown(workflow: Workflow) -> None:
    page = page_of(workflow, "--local", GITHUB_REPOSITORY="")
    assert not [href for href in page.links if "/actions/workflows/" in href]
    assert "rollback-ops rollback prod --service bot --if-current b2" in page.text


def test_entries_of_a_newer_version_are_counted_and_change_nothing_else(workflow: Workflow) -> None:
    journal = workflow.service.root / ".rollback/journal.jsonl"
    newer = json.dumps(workflow.record | {"schema_version": 99, "id": "20990101T000000Z-00000000"}) + "\n"
    before = journal.read_text()
    journal.write_text(before + newer)
    page = page_of(workflow, "--local")
    journal.write_text(before)
    assert "1 entries of the history could not be read" in page.text
    assert f"#record-{workflow.record['id']}" in page.links


def test_a_host_that_does_not_answer_is_unknown_on_the_page_and_the_command_ends_with_1(
    workflow: Workflow, tmp_path: Path
) -> None:
    command = RollbackOps(tmp_path)
    toml = workflow.service.toml().replace(dump({"environments": {"prod": {}}}), "")
    command.settings(toml + '[environments.prod]\nhosts = ["deploy@127.0.0.1:1"]\n')
    ended = command("dashboard", "--out", "page.html")
    assert ended.code == 1
    assert "deploy@127.0.0.1:1" in ended.err
    page = Page((tmp_path / "page.html").read_text())
    assert "unknown" in page.text
    assert "deploy@127.0.0.1:1" in page.text


def test_another_file_is_left_alone_before_a_host_is_asked(workflow: Workflow, tmp_path: Path) -> None:
    command = RollbackOps(tmp_path)
    command.settings(workflow.service.toml())
    before = (tmp_path / "rollback.toml").read_text()
    ended = command("dashboard", "--out", "rollback.toml", "--local")
    assert ended.code == 64
    assert (tmp_path / "rollback.toml").read_text() == before
    assert os.listdir(tmp_path) == ["rollback.toml"]


@pytest.mark.parametrize("arguments", [["dashboard", "nowhere"], ["dashboard", "--source", "github"]])
def test_what_is_wrong_with_a_request_is_told_and_no_page_is_written(
    workflow: Workflow, tmp_path: Path, arguments: list[str]
) -> None:
    command = RollbackOps(tmp_path)
    command.settings(workflow.service.toml())
    assert command(*arguments, "--out", "page.html").code == 64
    assert os.listdir(tmp_path) == ["rollback.toml"]


@pytest.mark.parametrize(("store", "source"), [(["--local-store"], []), ([], ["--source", "github"])])
def test_a_scheduled_rollback_is_shown_until_it_is_cancelled(
    workflow: Workflow, store: list[str], source: list[str]
) -> None:
    at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    words = ["--local", *store]
    planned = workflow("schedule", "add", "prod", "--at", at, "--reason", "nobody is there", "--json", *words)
    assert planned.code == 0, planned.err
    (entry,) = workflow("schedule", "list", "--json", *words).document["entries"]
    assert entry["id"] in page_of(workflow, "--local", *source).text
    assert workflow("schedule", "cancel", entry["id"], *words).code == 0
    assert entry["id"] not in page_of(workflow, "--local", *source).text
