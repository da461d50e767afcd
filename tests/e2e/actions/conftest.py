"""A repository with workflows, GitHub's API beside it, and a service on a real host."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.act.act import OURS, Workflows, blocker, copy_action
from tests.support.act.callers import CALLER
from tests.support.github_api.server import GitHubApi, github_api
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab
from tests.support.lab.plan import revision
from tests.support.receiver import Receiver, receiver
from tests.support.scene import quick
from tests.support.waiting import Deploy


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with github_api() as made:
        yield made


@pytest.fixture
def team() -> Iterator[Receiver]:
    """The receiver of the messages."""
    with receiver() as made:
        yield made


@pytest.fixture(scope="session")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_action(tmp_path_factory.mktemp("action") / "rollback-ops")


@pytest.fixture
def workflows(tmp_path: Path, api: GitHubApi) -> Iterator[Workflows]:
    if missing := blocker():
        reason = f"workflows cannot be run here, {missing} is missing: run `make test`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    made = Workflows(tmp_path, api.url, api.token)
    yield made
    made.close()


@pytest.fixture
def caller(workflows: Workflows, action: Path, lab: Lab, team: Receiver) -> Workflows:
    """A repository that uses the action; its rollback.toml is still to be written (``bot``)."""
    workflows.actions[OURS] = action
    secrets = {"SSH_KEY": lab.private_key, "KNOWN_HOSTS": lab.known_hosts, "WEBHOOK_URL": team.url}
    workflows.secrets |= secrets
    workflows.workflow(CALLER)
    return workflows


@pytest.fixture
def bot(caller: Workflows, deploy: Deploy, api: GitHubApi) -> Callable[..., Deployed]:
    """``bot(options=…)`` deploys a service, whose rollback.toml is the repository's, and whose commits GitHub knows."""

    def deployed(
        settings: Callable[..., str] = quick, environment: dict[str, Any] | None = None, **plan: Any
    ) -> Deployed:
        service = deploy(**plan)
        api.repository.knows(*(revision(number) for number, _ in enumerate(service.plan.releases, start=1)))
        caller.write("rollback.toml", settings(service, environment=environment or {}))
        return service

    return deployed
