"""The steps of the action as the runner starts them: a shell, a clean directory for the job, a file for the outputs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.project import PROJECT

PYTHON = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Job:
    """One job on a runner. ``environ`` is what the caller has put into the environment of its steps."""

    temporary: Path
    tools: Path
    action: Path = PROJECT
    environ: dict[str, str] = field(default_factory=dict)
    workspace: Path = Path("/")
    outputs: dict[str, str] = field(default_factory=dict)

    def step(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the action to its end; its outputs are added to the job's."""
        with self.start(script, **environ) as process:
            out, err = process.communicate(timeout=120)
        for line in self._output_file.read_text().splitlines():
            name, _, value = line.partition("=")
            self.outputs[name] = value
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, script: str, **environ: str) -> subprocess.Popen[str]:
        self.temporary.mkdir(parents=True, exist_ok=True)
        self._output_file.write_text("")
        return subprocess.Popen(
            ["sh", str(self.action / "action" / script)],
            cwd=self.workspace,
            env=self._runner() | self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def prepare(self, command: str = "rollback", environment: str = "here", **more: str) -> None:
        given = {
            "ROLLBACK_PYTHON_PATH": PYTHON,
            "ROLLBACK_COMMAND": command,
            "ROLLBACK_ENVIRONMENT": environment,
            "ROLLBACK_ARTIFACT_NAME": "",
        }
        done = self.step("prepare.sh", **(given | more))
        assert done.returncode == 0, done

    def install(self, **environ: str) -> subprocess.CompletedProcess[str]:
        given = {
            "ACTION_PYTHON": self.outputs["python"],
            "ACTION_LIBRARIES": self.outputs["libraries"],
            "ACTION_WHEELS": self.outputs["wheels"],
        }
        return self.step("install.sh", **(given | environ))

    def program(self, **asked: str) -> dict[str, str]:
        """The environment of the step that becomes the program."""
        return {
            "ACTION_PYTHON": self.outputs["python"],
            "ACTION_LIBRARIES": self.outputs["libraries"],
            "TMPDIR": self.outputs["temporary"],
            "ROLLBACK_RECORD": self.outputs["record"],
            "ROLLBACK_COMMAND": "rollback",
            "ROLLBACK_ENVIRONMENT": "here",
            "ROLLBACK_LOCAL": "true",
            **asked,
        }

    @property
    def libraries(self) -> Path:
        return Path(self.outputs["libraries"])

    @property
    def _output_file(self) -> Path:
        return self.temporary / "output"

    def _runner(self) -> dict[str, str]:
        return {
            "PATH": _PATH,
            "HOME": str(self.temporary),
            "RUNNER_TEMP": str(self.temporary),
            "RUNNER_TOOL_CACHE": str(self.tools),
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_OUTPUT": str(self._output_file),
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_SERVER_URL": "https://github.com",
        }


def machine() -> Mapping[str, str]:
    """The settings of this machine's package index."""
    pip = ("PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE")
    names = ("HOME", *pip, "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in names if name in os.environ}


def copy_of_the_action(to: Path) -> Path:
    """One whose files a test may change."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("action", "rollback_ops"):
        shutil.copytree(PROJECT / name, to / name, ignore=ignored)
    return to
