"""The program as it is installed on a host, and a person who runs it."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollback_ops import checks
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import installed
from tests.support.agent_sandbox import MACHINE, Sandbox
from tests.support.scene import PATIENT


def text_of(sandbox: Sandbox, groups: tuple[str, ...] = ()) -> str:
    service = sandbox.service
    looks = checks.build(service.checks, installed.RELEASE)
    return installed.render(
        installed.InstalledProgram(
            about=sandbox.about,
            service=service,
            manager=managers.build(service, "rosey"),
            reader=managers.reader(service),
            questions={name: q for name, check in looks.items() if (q := getattr(check, "question", None))},
            thresholds=checks.thresholds(service.checks, service.verify),
            hurried=service,
            groups=groups,
        )
    )


class Standalone(Sandbox):
    """A sandbox in which the program is installed; ``tools`` comes first in the person's PATH."""

    def __init__(self, directory: Path, shell: str, commands: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(directory, shell, commands, **{"verify": PATIENT, **settings})
        self.program = self.store / "rollback"
        # By the machine's own shell, whichever runs it then: BusyBox takes seven times as long to take it in.
        self.host_with(MACHINE).install(text_of(self))

    def break_glass(self, *options: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it with these options; ``typed`` is what the person answers on a terminal, if there is one."""
        words = [str(self.tools / "sh"), str(self.program), *options]
        environment = {"PATH": self.path, **variables}
        if not typed:
            return subprocess.run(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        ours, theirs = pty.openpty()
        os.write(ours, typed.encode())
        try:
            return subprocess.run(
                words, env=environment, stdin=theirs, capture_output=True, text=True, timeout=60, check=False
            )
        finally:
            os.close(ours)
            os.close(theirs)

    def start(self, *options: str) -> subprocess.Popen[str]:
        words = [str(self.tools / "sh"), str(self.program), *options]
        return subprocess.Popen(
            words,
            env={"PATH": self.path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
