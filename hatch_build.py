"""Puts the manual page, which is made from the help, into the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPage(BuildHookInterface[Any]):
    """Writes ``build/rollback-ops.1``. The build environment has Click, which is all that the help imports."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        page = Path(self.root, "build", "rollback-ops.1")
        page.parent.mkdir(exist_ok=True)
        # A wheel that is built in a workflow is no step of it: nothing is to be told to the runner.
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("GITHUB_", "ROLLBACK_"))}
        command = [sys.executable, "-m", "rollback_ops", "man"]
        made = subprocess.run(command, cwd=self.root, env=environ, stdout=subprocess.PIPE, check=True)
        page.write_bytes(made.stdout)
        build_data["shared_data"][str(page)] = "share/man/man1/rollback-ops.1"
