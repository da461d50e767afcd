"""What all deployment tools do: deploy, break off, roll back by themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from tests.support.lab import service as program
from tests.support.lab.ground import wait_until
from tests.support.on_this_machine import LocalService


class Tool(ABC):
    """A tool that deploys a service on this machine, to ``directory/shop``.

    ``settings`` are those that its page in the documents recommends. ``logs``: whether it keeps a log of what was live.
    """

    name: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {"requires": [".deployed"]}
    logs: ClassVar[bool] = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "shop"
        self.releases = self.root / "releases"
        self.service = LocalService(self.root)
        self.restart = directory / "restart"
        commands = self.service.commands
        text = f"#!/bin/sh\n({commands['stop']}) 2>/dev/null\ncd {self.root}/current && {commands['start']}\n"
        self.restart.write_text(text)
        self.restart.chmod(0o755)

    @abstractmethod
    def deploy(self, behaviour: str) -> str:
        """Deploy a release that behaves like this, and return its name."""

    @abstractmethod
    def break_off(self) -> None:
        """Begin to deploy a release, and be killed before it is live."""

    @abstractmethod
    def roll_back(self) -> None:
        """Roll back as the tool itself does, with its defaults."""

    def unlock(self) -> None:  # noqa: B027
        """Remove what a deployment that was killed left to keep others away. Most leave nothing."""

    def live(self) -> str:
        return (self.root / "current").resolve().name

    def names(self) -> list[str]:
        return sorted(path.name for path in self.releases.iterdir())

    def restart_service(self) -> None:
        subprocess.run([self.restart], check=True, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.service.health() is not None, 60, "the service listening")


class RepositoryTool(Tool):
    """A tool that deploys what is committed to a repository, with tasks of a project that can break off."""

    roll_back_task: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._repository = Repository(directory / "repository")

    def deploy(self, behaviour: str) -> str:
        self._repository.commit(behaviour)
        wait_for_another_second()
        assert self._run("deploy")
        return self.live()

    def break_off(self) -> None:
        self._repository.commit("healthy")
        wait_for_another_second()
        assert not self._run("deploy", BREAK_OFF="yes")

    def roll_back(self) -> None:
        assert self._run(self.roll_back_task)

    def _run(self, task: str, **variables: str) -> bool:
        place = self._repository.place
        return self.run_task(task, REPOSITORY=place, DEPLOY_TO=self.root, RESTART=self.restart, **variables)

    @abstractmethod
    def run_task(self, task: str, **variables: object) -> bool:
        """Run a task of the project with these variables, and return whether it succeeded."""


class Repository:
    """A repository with the service in it; each commit is a release. Real tools deploy from it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        shutil.copy(str(program.__file__), place / "service.py")
        self._git("init", "--quiet", "--initial-branch=main")

    def commit(self, behaviour: str) -> str:
        """Commit a release that behaves like this, and return its revision."""
        (self.place / "behaviour").write_text(f"{behaviour}\n")
        self._git("add", "--all")
        person = ("-c", "user.name=ana", "-c", "user.email=ana@example.org")
        self._git(*person, "commit", "--quiet", "--allow-empty", f"--message={behaviour}")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        return subprocess.run(["git", "-C", self.place, *words], check=True, capture_output=True, text=True).stdout


def run(command: Sequence[str], where: Path, variables: Mapping[str, object]) -> bool:
    """Run a tool with these variables, and return whether it succeeded."""
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    done = subprocess.run(
        command, cwd=where, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    # pytest shows it where the test fails.
    print(done.stdout, done.stderr)
    return done.returncode == 0


def wait_for_another_second() -> None:
    """Wait until a release that is named by the second gets a name of its own."""
    now = datetime.now(UTC).second
    wait_until(lambda: datetime.now(UTC).second != now, 60, "the next second")


def fill(release: Path, behaviour: str) -> None:
    """Put the service into the directory of a release, as an imitation of a tool copies it."""
    release.mkdir(parents=True)
    shutil.copy(str(program.__file__), release / "service.py")
    (release / "behaviour").write_text(f"{behaviour}\n")


def relink(place: Path, text: str) -> None:
    """Do what ``ln -nfs`` does."""
    place.unlink(missing_ok=True)
    place.symlink_to(text)


def by_time(directory: Path) -> list[str]:
    """Return what ``ls -1t`` prints."""
    return [path.name for path in sorted(directory.iterdir(), key=lambda p: p.stat().st_mtime_ns, reverse=True)]


def stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime())
