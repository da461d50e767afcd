"""The workflows to copy that publish the dashboard, run with act: from the deployments on GitHub to a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.act.act import Workflows
from tests.support.command import RollbackOps
from tests.support.github_api.server import GitHubApi
from tests.support.html_reader import Page
from tests.support.on_this_machine import OwnService
from tests.support.project import PROJECT
from tests.support.workflow import Workflow

# What `pip install` of a clone needs.
_CLONE = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE")


@pytest.fixture
def rolled_back(api: GitHubApi, tmp_path: Path) -> Iterator[Workflow]:
    """A service that was rolled back once, in a workflow."""
    directory = tmp_path / "bot"
    directory.mkdir()
    with OwnService(directory / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as service:
        found = Workflow(service, RollbackOps(directory), api)
        assert found.roll_back().code == 0
        yield found


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "published"),
    [("dashboard", "rollbacks.html/rollbacks.html"), ("dashboard-pages", "published/index.html")],
)
def test_the_page_of_the_rollbacks_on_github_is_published(
    workflows: Workflows, api: GitHubApi, rolled_back: Workflow, name: str, published: str
) -> None:
    workflows.workflow((PROJECT / f"docs/workflows/{name}.yml").read_text())
    # The stand-in for the checkout copies this repository, whichever one the step names.
    for file in _CLONE:
        shutil.copy(PROJECT / file, workflows.repository)
    shutil.copytree(
        PROJECT / "rollback_ops", workflows.repository / "rollback_ops", ignore=shutil.ignore_patterns("__pycache__")
    )
    ran = workflows("schedule")
    assert ran.code == 0, [ran.journal.said(job) for job in ("1/page", "page")]
    page = Page((ran.artifacts / published).read_text())
    assert "Rolled back from b3 because: logins fail since the deploy" in page.text
    assert f"#record-{rolled_back.record['id']}" in page.links
    assert api.token not in page.source
