"""The resources that a lab takes from the machine, under one number: a directory, control groups, namespaces, a link.

The number belongs to whoever holds the lock on its file, so what is found under a free number was
left by a process that is dead, and is swept away before the number is used again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.lab.errors import LabError

BASE = Path("/run/rollback-ops-lab")
NUMBERS = range(1, 251)


def command(*words: str, check: bool = True) -> str:
    """Run one of the machine's own commands; its output. Raises ``LabError`` with what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wait_until(happened: Callable[[], bool], deadline: float, what: str, interval: float = 0.02) -> None:
    """Ask until the answer is yes. Raises ``LabError`` after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while not happened():
        if time.monotonic() > end:
            raise LabError(f"{what} did not happen within {deadline:.0f} s")
        time.sleep(interval)


def _mounts() -> list[list[str]]:
    return [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]


def control_groups() -> Path | None:
    """The mount point of the version 2 hierarchy (alone, or beside version 1)."""
    return next((Path(mount[1]) for mount in _mounts() if mount[2] == "cgroup2"), None)


class Ground:
    """One number and all that is named after it. Names of interfaces stay within 15 characters."""

    def __init__(self, number: int, lock: int) -> None:
        self.number = number
        self.name = f"rolab{number}"
        self.directory = BASE / str(number)
        self.subnet = f"198.18.{number}"  # RFC 2544: never a network that the machine is really on
        self._lock = lock
        groups = control_groups()
        if groups is None:
            raise LabError("control groups version 2 are not mounted")
        self.group = groups / self.name

    @classmethod
    def take(cls) -> Ground:
        """The first free number, with nothing on it; what the dead left on other numbers goes too.

        Raises ``LabError`` when every number is in use.
        """
        BASE.mkdir(exist_ok=True)
        for left in [path for path in BASE.iterdir() if path.is_dir()]:
            abandoned = cls._claim(int(left.name))
            if abandoned:
                abandoned.release()
        for number in NUMBERS:
            ground = cls._claim(number)
            if ground:
                ground.directory.mkdir()
                command("mount", "-t", "tmpfs", "-o", "mode=0755", ground.name, str(ground.directory))
                return ground
        raise LabError(f"all {len(NUMBERS)} labs of this machine are in use")

    @classmethod
    def _claim(cls, number: int) -> Ground | None:
        lock = os.open(BASE / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return cls(number, lock)

    def sweep(self) -> None:
        """Leave nothing of this number: no process, namespace, link, mount, directory."""
        empty_group(self.group)
        for namespace in Path("/run/netns").glob(f"{self.name}-*"):
            command("ip", "netns", "delete", namespace.name)
        # The end of the switch's namespace takes the link along, sooner or later.
        command("ip", "link", "delete", self.name, check=False)
        wait_until(lambda: not Path(f"/sys/class/net/{self.name}").exists(), 60, f"the end of {self.name}")
        for root in self.directory.glob("*/root"):
            forget_lock(root)
        for mount in reversed(_mounts()):
            if mount[1].startswith(f"{self.directory}/") or mount[1] == str(self.directory):
                command("umount", "--lazy", mount[1])
        for left in Path("/run/systemd/nspawn/propagate").glob(f"{self.name}-*"):
            left.rmdir()
        shutil.rmtree(self.directory)

    def release(self) -> None:
        self.sweep()
        os.close(self._lock)


def empty_group(group: Path) -> None:
    """Kill what runs in a control group and remove it, in every hierarchy that has it."""
    if (group / "cgroup.kill").exists():
        (group / "cgroup.kill").write_text("1")
        wait_until(lambda: "populated 0" in (group / "cgroup.events").read_text(), 60, f"the end of {group.name}")
    named = (Path(mount[1]) for mount in _mounts() if mount[2] == "cgroup" and "name=systemd" in mount[3])
    relative = group.relative_to(control_groups() or "/")
    for top in (group, *(hierarchy / relative for hierarchy in named)):
        for directory, _, _ in os.walk(top, topdown=False):
            os.rmdir(directory)


def forget_lock(root: Path) -> None:
    """Remove the lock file that a killed systemd-nspawn leaves for the disk it ran from."""
    disk = root.stat()
    Path(f"/run/systemd/nspawn/locks/inode-{disk.st_dev}:{disk.st_ino}").unlink(missing_ok=True)
