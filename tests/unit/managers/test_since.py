"""Since when a log is read: the last start by a rollback, and never one of another boot."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from rollback_ops.hosts.managers.since import SET_SINCE
from tests.support.toolbox import tool


def since(directory: Path, shell: str, started: str | None) -> str:
    file = directory / "started"
    if started is not None:
        file.write_text(started)
    words = [tool("sh" if shell == "dash" else shell), *(["sh"] if shell == "busybox" else [])]
    command = f'{SET_SINCE}printf "%s" "$SINCE"'
    environment = {"PATH": "/usr/bin:/bin", "ROLLBACK_STATE": str(file.parent)}
    return subprocess.run([*words, "-c", command], env=environment, text=True, stdout=-1, check=True).stdout


@pytest.mark.parametrize("shell", ["dash", "busybox"])
def test_the_start_is_so_long_ago_as_the_uptime_says(tmp_path: Path, shell: str) -> None:
    uptime = Path("/proc/uptime").read_text().split()[0].replace(".", "")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    before = time.time()
    found = float(since(tmp_path, shell, f"{boot} {int(uptime) - 500}\n"))
    # What date says may be a second old where it has no fractions.
    assert before - 6.5 <= found <= time.time() - 5 + 0.1


@pytest.mark.parametrize("shell", ["dash", "busybox"])
@pytest.mark.parametrize("started", [None, "", "00000000-0000-0000-0000-000000000000 100\n"])
def test_without_a_start_in_this_boot_there_is_no_limit(tmp_path: Path, shell: str, started: str | None) -> None:
    assert since(tmp_path, shell, started) == ""
