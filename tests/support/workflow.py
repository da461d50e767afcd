"""The command as a step of a GitHub workflow, with a service on this machine and GitHub's API on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.command import Ended, RollbackOps
from tests.support.github_api.server import GitHubApi
from tests.support.lab.toml import dump
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK, WHY

REVISIONS = {"b1": "1" * 40, "b2": "2" * 40, "b3": "3" * 40}
RECORD = "record.json"


def variables(api: GitHubApi, run: int, **more: str) -> dict[str, str]:
    """The environment of a step in one run of a workflow."""
    there = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": api.url,
        "GITHUB_SERVER_URL": "https://github.example.org",
        "GITHUB_REPOSITORY": api.repository.name,
        "GITHUB_TOKEN": api.token,
        "GITHUB_SHA": "a" * 40,
        "GITHUB_RUN_ID": str(run),
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_ACTOR": "alice",
    }
    return there | more


@dataclass
class Workflow:
    """``environment`` is what the settings say of ``prod``; ``run`` counts the runs of the workflow."""

    service: OwnService
    command: RollbackOps
    api: GitHubApi
    environment: dict[str, Any] = field(default_factory=dict)
    run: int = 1

    def __post_init__(self) -> None:
        for release, revision in REVISIONS.items():
            (self.service.root / "releases" / release / "REVISION").write_text(f"{revision}\n")
        self.api.repository.knows(*REVISIONS.values())
        self.settings()

    def variables(self, **more: str) -> dict[str, str]:
        return variables(self.api, self.run, ROLLBACK_RECORD=RECORD) | more

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        """One step. The token is in nothing that it prints but in the command that masks it."""
        ended = self.command(*arguments, **self.variables(**variables))
        shown = [line for line in (ended.out + ended.err).splitlines() if not line.startswith("::add-mask::")]
        assert not any(self.api.token in line for line in shown)
        assert "<html" not in ended.out + ended.err
        return ended

    def settings(self, **service: Any) -> None:
        """Written anew, with what ``environment`` says by now."""
        bare, whole = (dump({"environments": {"prod": section}}) for section in ({}, self.environment))
        self.command.settings(self.service.toml(**{"verify": QUICK, **service}).replace(bare, whole))

    def roll_back(self, *arguments: str, **variables: str) -> Ended:
        """A step that rolls back, in a run of its own."""
        self.run += 1
        return self("rollback", "prod", "--local", *WHY, "--json", *arguments, **variables)

    @property
    def record(self) -> dict[str, Any]:
        """The record that the last step left in its file."""
        found = json.loads((self.command.directory / RECORD).read_text())
        assert isinstance(found, dict)
        return found

    @property
    def filed(self) -> list[tuple[str, list[str]]]:
        """The outcome in the payload of each deployment of a rollback, oldest first, and the states of it."""
        there = [each for each in self.api.repository.deployments if each["task"] == "rollback"]
        return [(each["payload"]["outcome"], self.api.repository.states(each["id"])) for each in there]
