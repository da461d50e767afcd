"""``rollback-ops demo`` as a newcomer runs it: with next to nothing in the environment, and nothing left of it."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_NOBODY = 65534
# So that it can run a Python that is installed where only root can look.
_READING = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
_SERVERS = ("ssh", "scp", "sftp", "systemd", "systemctl", "loginctl", "journalctl")
_MINUTE = 60


@dataclass
class Person:
    """Somebody who runs the demo: a home, and a directory for temporary files in which the sandbox is made."""

    home: Path
    temporary: Path
    path: Path

    def start(
        self, variables: Mapping[str, str] | None = None, before: Sequence[str] = (), output: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """``before`` are the words in front of the command."""
        here = {"PATH": str(self.path), "HOME": str(self.home), "TMPDIR": str(self.temporary), "LANG": "C.UTF-8"}
        return subprocess.Popen(
            [*before, sys.executable, "-m", "rollback_ops", "demo"],
            env={**here, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def left(self) -> list[str]:
        """Files and processes of demos that have ended."""
        return [*map(str, self.temporary.iterdir()), *_processes_that_know(self.temporary)]


def _processes_that_know(path: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(path) in known:
            yield f"{process.name}: {known!r}"


@pytest.fixture(scope="module")
def tools() -> Iterator[Path]:
    """A directory with the commands of this machine, but for SSH's and systemd's."""
    directory = Path(tempfile.mkdtemp(prefix="demo-test-"))
    directory.chmod(0o755)
    for source in ("/usr/bin", "/bin"):
        for tool in Path(source).iterdir():
            if not tool.name.startswith(_SERVERS) and not (directory / tool.name).is_symlink():
                (directory / tool.name).symlink_to(tool)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def person(tools: Path) -> Iterator[Person]:
    """Like the tools, not in pytest's own directory: others than its owner must get there."""
    place = Path(tempfile.mkdtemp(prefix="demo-test-"))
    place.chmod(0o755)
    (place / "home").mkdir()
    (place / "tmp").mkdir()
    (place / "tmp").chmod(0o1777)
    yield Person(place / "home", place / "tmp", tools)
    shutil.rmtree(place)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    output = process.communicate(timeout=_MINUTE)[0].decode()
    assert "Traceback" not in output, output
    return process.returncode, output


def in_this_order(text: str, *parts: str) -> bool:
    for part in parts:
        before, found, text = text.partition(part)
        assert found, f"{part!r} does not come in its turn:\n{text or before}"
    return True


def test_it_shows_a_sick_release_replaced_by_the_last_good_one_whatever_the_environment_says(person: Person) -> None:
    (person.home / ".ssh").mkdir()
    (person.home / ".ssh" / "config").write_text("Host *\n  ProxyCommand false\n  User somebody-else\n")
    stray = {"ROLLBACK_CONFIG": "/nowhere", "ROLLBACK_BACKUP": "v1.8", "http_proxy": "http://127.0.0.1:9"}

    code, output = ended(person.start(stray, ["sh", "-c", 'umask 0; exec "$@"', "sh"]))

    assert code == 0, output
    assert in_this_order(
        output,
        "rollback.toml:\n[services.shop]",
        '/health → 503 {"release": "v1.11"',
        "$ rollback-ops list prod\n",
        "it lacks service.py",
        '$ rollback-ops rollback prod --reason "no payments since v1.11" --record record.json\n',
        "▸ switch: ",
        'release is "v1.9"',
        "✓ rolled back: v1.11 → v1.9",
        '/health → 200 {"release": "v1.9", "status": "ok"}',
        '"outcome": "succeeded"',
        "$ rollback-ops history list\n",
        "succeeded",
    )
    assert "\x1b" not in output
    assert person.left() == []


def test_somebody_without_rights_a_name_or_a_home_can_run_it(person: Person) -> None:
    nobody = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *_READING]
    code, output = ended(person.start({"HOME": "/nonexistent"}, nobody if os.getuid() == 0 else ()))
    assert code == 0, output
    assert person.left() == []


@pytest.mark.long
def test_two_at_the_same_time_do_not_meet(person: Person) -> None:
    for code, output in [ended(each) for each in [person.start(), person.start()]]:
        assert code == 0, output
        assert "→ v1.9" in output
    assert person.left() == []


@pytest.mark.parametrize(
    ("number", "moment", "code"),
    [
        pytest.param(signal.SIGINT, "rollback.toml:", 130, marks=pytest.mark.long),
        (signal.SIGINT, "▸ switch", 130),
        (signal.SIGTERM, "$ rollback-ops list", 143),
        pytest.param(signal.SIGHUP, "▸ verify", 143, marks=pytest.mark.long),
    ],
)
def test_it_leaves_nothing_behind_when_it_is_stopped(
    person: Person, number: signal.Signals, moment: str, code: int
) -> None:
    process = person.start()
    assert process.stdout is not None
    assert any(line.decode().startswith(moment) for line in process.stdout)
    process.send_signal(number)
    process.send_signal(number)
    ended_with, output = ended(process)
    assert (ended_with, "history list" in output) == (code, False), output
    assert person.left() == []


def test_it_says_what_failed_and_cleans_up_when_it_cannot_go_on(person: Person) -> None:
    crooked = person.temporary / "a name that no setting takes"
    crooked.mkdir()
    code, output = ended(person.start({"TMPDIR": str(crooked)}))
    assert code == 1
    assert "`rollback-ops list prod`" in output
    assert list(crooked.iterdir()) == []
    crooked.rmdir()
    assert person.left() == []


def test_a_machine_that_lacks_the_tools_is_told_which(person: Person, tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    code, output = ended(person.start({"PATH": str(tmp_path)}))
    assert code == 1
    assert [word in output for word in ("setsid", "flock", "timeout", "stat")] == [True] * 4
    assert person.left() == []


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), pytest.param({"NO_COLOR": "1"}, False, marks=pytest.mark.long)]
)
def test_a_terminal_gets_colour_unless_it_declines(person: Person, variables: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    process = person.start({"TERM": "xterm", **variables}, output=theirs)
    os.close(theirs)
    output = _read_terminal(ours)
    assert process.wait(_MINUTE) == 0, output
    assert ("\x1b[32m✓ rolled back" in output) is coloured
    assert ("\x1b[3" in output) is coloured
    assert person.left() == []


def _read_terminal(descriptor: int) -> str:
    """All that is written to a terminal until nobody has it open any more, which Linux says as an error."""
    pieces = []
    deadline = time.monotonic() + _MINUTE
    while time.monotonic() < deadline:
        try:
            pieces.append(os.read(descriptor, 65536))
        except OSError:
            break
    os.close(descriptor)
    return b"".join(pieces).decode()
