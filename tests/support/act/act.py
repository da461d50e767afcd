"""act as a fixture: a repository of the user's, a runner, and nothing that leaves this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.act.run import Ran, Running
from tests.support.act.workflow import for_act, used
from tests.support.lab.image import cache
from tests.support.project import PROJECT

STANDINS = Path(__file__).with_name("standins")
OURS = "acme/rollback-ops"
_OF_THE_ACTION = ("action.yml", "action", "rollback_ops", "pyproject.toml")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where the machine's package index is, and how it is reached, is the machine's to say.
_OF_THE_MACHINE = (
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_FIND_LINKS",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


# act gives each step a terminal, which no runner of GitHub does, and does not wait for the last words of a step that
# fails: a few of a hundred are lost on a busy machine. Without terminals it uses pipes, and reads them to their end.
_WITHOUT_TERMINALS = ("unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /dev/ptmx && exec "$@"', "sh")


def blocker() -> str:
    """Return what is missing to run workflows; empty when nothing is."""
    if os.geteuid() != 0:
        return "root"
    missing = [tool for tool in (_act(), "git", "unshare") if shutil.which(tool) is None]
    return ", ".join(missing)


def _act() -> str:
    return str(Path(sys.executable).with_name("act"))


def copy_action(to: Path) -> Path:
    """The action as a repository of its own, as ``uses:`` would get it."""
    for name in _OF_THE_ACTION:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to.mkdir(exist_ok=True)
            shutil.copy(source, to / name)
    return to


@dataclass
class Workflows:
    """A user's repository ``acme/bot`` with workflows, and the runner for them.

    ``environment`` is what the runner gives every step, beside what GitHub's own does. ``actions`` are the directories
    of actions by ``owner/name``, whatever ref is asked for. ``event`` is what the event itself holds, beside inputs.
    """

    directory: Path
    api_url: str
    token: str
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    actions: dict[str, Path] = field(default_factory=dict)
    server_url: str = "https://github.com"
    actor: str = "alice"
    run_id: int = 4711
    event: dict[str, Any] = field(default_factory=dict)
    _begun: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repository = self.directory / "repository"
        (self.repository / ".github/workflows").mkdir(parents=True)
        for name in ("git init -q -b main", "git remote add origin https://github.com/acme/bot.git"):
            subprocess.run(name.split(), cwd=self.repository, check=True, env=self._machine())
        standins = {f"actions/{path.name}": path for path in STANDINS.iterdir()}
        self.actions = {**standins, **self.actions}

    def write(self, path: str, text: str) -> None:
        """A file of the user's repository."""
        file = self.repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def workflow(self, text: str) -> list[str]:
        """The one workflow of the repository; what act would not understand is left out, and returned."""
        text, left_out = for_act(text)
        self.write(".github/workflows/workflow.yml", text)
        return left_out

    def __call__(self, event: str = "workflow_dispatch", **inputs: str) -> Ran:
        return self.start(event, **inputs).end()

    def start(self, event: str = "workflow_dispatch", **inputs: str) -> Running:
        self._commit()
        run = self.directory / f"run{len(self._begun)}"
        for name in ("disk", "artifacts", "left"):
            (run / name).mkdir(parents=True)
        tools = cache() / "tool_cache"
        tools.mkdir(parents=True, exist_ok=True)
        (run / "disk/tool_cache").symlink_to(tools)
        words = [*_WITHOUT_TERMINALS, _act(), event, "--json", "-P", "ubuntu-latest=-self-hosted"]
        words += [
            "--action-offline-mode",
            "--no-cache-server",
            "--no-skip-checkout",
            "--action-cache-path",
            str(run / "disk"),
            "--actor",
            self.actor,
        ]
        if self.event:
            (run / "event.json").write_text(json.dumps(self.event))
            words += ["--eventpath", str(run / "event.json")]
        words += ["--secret-file", str(self._secret_file())]
        words += [word for name, value in inputs.items() for word in ("--input", f"{name.replace('_', '-')}={value}")]
        words += [word for local in self._local() for word in ("--local-repository", local)]
        words += [word for name, value in self._github(run).items() for word in ("--env", f"{name}={value}")]
        process = subprocess.Popen(
            words,
            cwd=self.repository,
            env=self._machine() | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._begun.append(Running(process, run))
        return self._begun[-1]

    def close(self) -> None:
        """End what a test that failed has left running."""
        for running in self._begun:
            if running.process.poll() is None:
                running.process.kill()
                running.process.communicate()

    @property
    def sha(self) -> str:
        """The commit of the repository that the workflows run on, as of now."""
        self._commit()
        words = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(
            words, cwd=self.repository, check=True, env=self._machine(), capture_output=True, text=True
        )
        return done.stdout.strip()

    def _commit(self) -> None:
        author = ["-c", "user.name=alice", "-c", "user.email=alice@example.org"]
        for words in (["add", "--all"], [*author, "commit", "-q", "--allow-empty-message", "-m", ""]):
            subprocess.run(["git", *words], cwd=self.repository, check=False, env=self._machine(), capture_output=True)

    def _machine(self) -> dict[str, str]:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        machine = {name: os.environ[name] for name in _OF_THE_MACHINE if name in os.environ}
        return {"PATH": _PATH, "HOME": str(home), **machine}

    def _github(self, run: Path) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.api_url,
            "GITHUB_SERVER_URL": self.server_url,
            "GITHUB_RUN_ID": str(self.run_id),
            "STANDIN_REPOSITORY": str(self.repository),
            "STANDIN_PYTHON": str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"),
            "STANDIN_ARTIFACTS": str(run / "artifacts"),
            "STANDIN_LEFT": str(run / "left"),
        }

    def _local(self) -> list[str]:
        files = [*self.repository.glob(".github/workflows/*.yml"), *self.repository.glob("action.yml")]
        found, wanted = set[str](), used(*files)
        while wanted - found:
            found |= wanted
            for name in list(wanted):
                wanted |= used(self.actions[name.partition("@")[0]] / "action.yml")
        return [f"{name}={self.actions[name.partition('@')[0]]}" for name in sorted(found)]

    def _secret_file(self) -> Path:
        return _variables(self.directory / "secrets", {**self.secrets, "GITHUB_TOKEN": self.token})


def _variables(path: Path, variables: Mapping[str, str]) -> Path:
    """A file of variables as act reads it. The values are in single quotes where that is possible."""
    path.write_text("".join(f"{name}={_quoted(value)}\n" for name, value in variables.items()))
    path.chmod(0o600)
    return path


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'
