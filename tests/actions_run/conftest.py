"""A repository with workflows, GitHub's API beside it, and a real host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions_run.act import Workflows, obstacle
from tests.github_api.server import GitHubApi, github_api


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with github_api() as made:
        yield made


@pytest.fixture
def workflows(tmp_path: Path, api: GitHubApi) -> Workflows:
    if missing := obstacle():
        reason = f"workflows cannot be run here, {missing} is missing: run `make test`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return Workflows(tmp_path, api.url, api.token)
