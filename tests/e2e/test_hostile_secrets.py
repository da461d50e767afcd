"""Secrets stay where they were given: in no argument, environment, file, journal, log or output, here or there."""

from __future__ import annotations

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.lab import Lab
from tests.support.on_this_machine import OwnService
from tests.support.scene import WHY, quick
from tests.support.warm import Process

Deploy = Callable[..., Deployed]
WORD = "kanarienvogel"
# The words are read from a file: a grep that had them among its arguments would find itself.
WATCH = r"""
cd /proc
while [ ! -e /root/enough ]; do
    grep -alsF -f /root/words [0-9]*/cmdline [0-9]*/environ | while read -r file; do
        { echo "$file"; tr '\0' ' ' <"$file"; } >>/root/seen 2>/dev/null
    done
    rounds=$((rounds + 1))
    echo $rounds >/root/rounds
done
"""


def secrets(lab: Lab) -> dict[str, str]:
    """Every secret that there is, each with a word that cannot be anything else; the key has its own."""
    return {
        "ROLLBACK_SSH_KEY": lab.private_key,
        "ROLLBACK_SSH_KEY_PASSPHRASE": f"{WORD}-passphrase",
        "ROLLBACK_KNOWN_HOSTS": f"{lab.known_hosts}\n# {WORD}-known-hosts\n",
        "ROLLBACK_WEBHOOK_URL": f"http://127.0.0.1:1/hooks/{WORD}-webhook",
        "GITHUB_TOKEN": f"ghp_{WORD}token",
        "ACTIONS_RUNTIME_TOKEN": f"{WORD}-runtime",
    }


def part_of(key: str) -> str:
    """A line of a private key that no other text has."""
    return key.strip().splitlines()[2]


def descendants(pid: int) -> Iterator[int]:
    children = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            children[int((process / "stat").read_text().rpartition(")")[2].split()[1])].append(int(process.name))
    found = list(children[pid])
    for each in found:
        yield each
        found += children[each]


def shown_by(pid: int, file: str) -> bytes:
    """Arguments or environment of a process, as anybody of the same user can read them."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def watched(process: Process, words: Mapping[str, str]) -> set[str]:
    """Which words the processes show that a command starts, looked at until it has ended.

    Between its fork and its exec a process is still the command itself, with what that was given.
    """
    wait_until(lambda: bool(shown_by(process.pid, "cmdline")), 60, "the program's arguments")
    itself = shown_by(process.pid, "cmdline")
    seen: set[str] = set()
    while process.poll() is None:
        for pid in descendants(process.pid):
            begun, environment, arguments = (shown_by(pid, file) for file in ("cmdline", "environ", "cmdline"))
            if itself not in (begun, arguments):
                shown = (environment + arguments).decode(errors="replace")
                seen |= {name for name, word in words.items() if word in shown}
        time.sleep(0.002)
    return seen


def test_no_secret_is_seen_on_a_host_or_in_what_is_left_of_a_rollback(
    rollback_ops: RollbackOps, deploy: Deploy, lab: Lab, tmp_path: Path
) -> None:
    rollback_ops.warm = False
    given = secrets(lab)
    service = deploy(owner="deploy")
    ask = {"kind": "command", "run": "env; cat /proc/self/environ /proc/$PPID/cmdline"}
    rollback_ops.settings(quick(service, checks={"before": {**ask, "phase": "before"}, "after": ask}))
    key = part_of(given["ROLLBACK_SSH_KEY"])
    service.host.run("rm -f /root/seen /root/rounds /root/enough")
    service.host.write("/root/words", f"{WORD}\n{key}\n")
    service.host.write("/root/watch.sh", WATCH)
    service.host.run("setsid sh /root/watch.sh </dev/null >/dev/null 2>&1 &")
    wait_until(lambda: service.host.run("test -s /root/rounds", check=False).returncode == 0, 60, "the watch")
    service.host.run(f"sh -c 'sleep 0.5; :' {WORD}")
    # A round that saw it may still be writing.
    ended = int(service.host.read("/root/rounds") or 0)
    wait_until(lambda: int(service.host.read("/root/rounds") or 0) > ended + 1, 60, "two more rounds")
    assert WORD in service.host.run("cat /root/seen; rm -f /root/seen").stdout, "it sees what there is to see"

    loud = subprocess.Popen(["sh", "-c", f"sh -c 'sleep 0.3; :' {WORD}; :"], text=True)
    assert watched(loud, {"word": WORD}) == {"word"}
    process = rollback_ops.start("rollback", "prod", *WHY, "--json", "--record", "record.json", **given)
    seen = watched(process, {"word": WORD, "key": key})
    out, err = process.communicate()
    service.host.run("touch /root/enough")

    assert process.returncode == 0, err
    assert seen == set()
    assert int(service.host.read("/root/rounds")) > 2
    assert service.host.run("cat /root/seen", check=False).stdout == ""
    left = service.host.run(
        f"grep -rlF -e {WORD} -e {key} {service.root} /run/systemd /var/log /tmp", check=False
    ).stdout
    assert left == ""
    assert service.host.run(f"journalctl -q --no-pager | grep -cF -e {WORD} -e {key}", check=False).stdout == "0\n"
    for text in (out, err, (tmp_path / "record.json").read_text()):
        assert WORD not in text
        assert key not in text


def test_no_secret_is_in_the_environment_of_what_is_started_here(tmp_path: Path, lab: Lab) -> None:
    rollback_ops = RollbackOps(tmp_path, warm=False)
    releases = {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}
    with OwnService(tmp_path / "bot", releases) as own:
        ask = {"kind": "command", "run": "env; sleep 0.2"}
        rollback_ops.settings(own.toml(verify={"min_healthy_time": "0s"}, checks={"asks": ask}))
        given = secrets(lab)
        key = part_of(given["ROLLBACK_SSH_KEY"])
        process = rollback_ops.start("rollback", "prod", "--local", *WHY, "--json", **given)
        seen = watched(process, {"word": WORD, "key": key})
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert seen == set()
        environment = shown_by(own.pid(), "environ")
        assert WORD.encode() not in environment
        assert b"PATH=" + os.environ["PATH"].encode() in environment
        assert WORD not in out + err


@pytest.mark.parametrize("name", ["ROLLBACK_SSH_KEY", "ROLLBACK_KNOWN_HOSTS", "ROLLBACK_SSH_KEY_PASSPHRASE"])
def test_a_secret_that_cannot_be_used_is_not_quoted(rollback_ops: RollbackOps, deploy: Deploy, name: str) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    for value in (WORD, f"-----BEGIN OPENSSH PRIVATE KEY-----\n{WORD}\n", f"{WORD} {WORD} {WORD}"):
        ended = rollback_ops("check", "prod", "--json", **{name: value})
        assert WORD not in ended.out + ended.err
        assert ended.code in (0, 1, 64)
