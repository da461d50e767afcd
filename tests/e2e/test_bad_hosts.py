"""Hosts that cannot, or must not, be rolled back now: each is refused in words, and its service goes on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.untouched import refusal, untouched

Deploy = Callable[..., Deployed]
ROLLBACK = ("rollback", "prod", "--reason", "logins fail since the deploy", "--json")
QUICK = {"verify": {"min_healthy_time": "0s"}}


@pytest.fixture(scope="module")
def away(lab: Lab) -> Iterator[LabHost]:
    """A host that only these tests use: they change what others rely on, and put it back."""
    with lab.boot("away") as host:
        yield host


@pytest.fixture
def service(away: LabHost) -> Iterator[Deployed]:
    deployed = away.deploy()
    yield deployed
    deployed.remove()


def settings(service: Deployed, *hosts: str, **changes: Any) -> str:
    return service.toml(hosts=hosts, **QUICK | changes)


@contextmanager
def changed(host: LabHost, change: str, back: str) -> Iterator[None]:
    """A host on which this was done meanwhile, and undone at the end, whatever came of it."""
    host.run(change)
    try:
        yield
    finally:
        host.run(back)


def fingerprint(known_hosts_line: str, folder: Path) -> str:
    (folder / "key.pub").write_text(known_hosts_line.partition(" ")[2])
    told = subprocess.run(["ssh-keygen", "-lf", folder / "key.pub"], capture_output=True, text=True, check=True)
    return told.stdout.split()[1]


# --- hosts that are not reached ------------------------------------------------------------------------


def test_a_host_that_is_cut_off_is_given_up_after_the_connect_limit(
    rollback_ops: RollbackOps, service: Deployed
) -> None:
    rollback_ops.settings(settings(service, limits={"connect": "1s"}))
    with untouched(service):
        service.host.cut_network()
        began = time.monotonic()
        try:
            ended = rollback_ops(*ROLLBACK)
        finally:
            service.host.restore_network()
        took = time.monotonic() - began
    assert "within 1 s" in refusal(ended)
    assert "port 22" in ended.err
    # Far less than what the system gives a connection: two minutes.
    assert took < 30


def test_a_host_whose_sshd_is_stopped_refuses_the_connection(rollback_ops: RollbackOps, service: Deployed) -> None:
    rollback_ops.settings(settings(service))
    with untouched(service), changed(service.host, "systemctl stop ssh", "systemctl start ssh"):
        ended = rollback_ops(*ROLLBACK)
    detail = refusal(ended)
    assert (f"{service.host.address} port 22" in detail, "sshd" in ended.err) == (True, True)


def test_a_name_that_does_not_resolve_is_named(rollback_ops: RollbackOps, service: Deployed) -> None:
    rollback_ops.settings(settings(service, "root@no-such-host.invalid"))
    assert "no-such-host.invalid" in refusal(rollback_ops(*ROLLBACK))


def test_a_host_that_does_not_accept_the_key_is_asked_once_and_says_what_to_do(
    rollback_ops: RollbackOps, service: Deployed, tmp_path: Path
) -> None:
    rollback_ops.settings(settings(service))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    (cursor,) = service.host.run("journalctl -n 0 --show-cursor").stdout.splitlines()[-1:]
    log = f"journalctl -q -o cat --after-cursor='{cursor.removeprefix('-- cursor: ')}'"

    def failures() -> int:
        return service.host.run(log).stdout.count("authenticating user root")

    with untouched(service):
        ended = rollback_ops(*ROLLBACK, ROLLBACK_SSH_KEY=(tmp_path / "other").read_text())
    mine = fingerprint("- " + (tmp_path / "other.pub").read_text(), tmp_path)
    assert f"ssh-ed25519 {mine}" in refusal(ended)
    assert "~root/.ssh/authorized_keys" in ended.err
    assert "PRIVATE KEY" not in ended.err + ended.out
    wait_until(lambda: failures() > 0, 60, "sshd's word about it")
    assert failures() == 1


def test_an_unknown_host_key_is_refused_with_the_fingerprint_that_was_offered(
    rollback_ops: RollbackOps, service: Deployed, tmp_path: Path
) -> None:
    rollback_ops.settings(settings(service))
    line = service.host.known_hosts_line()
    with untouched(service):
        ended = rollback_ops(*ROLLBACK, ROLLBACK_KNOWN_HOSTS=f"elsewhere.example.org{line[line.index(' ') :]}")
    detail = refusal(ended)
    assert f"offered ssh-ed25519 {fingerprint(line, tmp_path)}" in detail
    assert "ROLLBACK_KNOWN_HOSTS" in ended.err
    assert line.strip() in ended.err


def test_a_host_key_that_has_changed_is_refused_with_both_fingerprints(
    rollback_ops: RollbackOps, service: Deployed, tmp_path: Path
) -> None:
    rollback_ops.settings(settings(service))
    old = service.host.known_hosts_line()
    with untouched(service):
        service.host.change_host_key()
        ended = rollback_ops(*ROLLBACK)
    detail = refusal(ended)
    for what, line in (("offered", service.host.known_hosts_line()), ("expected", old)):
        assert f"{what} ssh-ed25519 {fingerprint(line, tmp_path)}" in detail


@pytest.mark.parametrize(
    ("change", "back", "words"),
    [
        ("usermod -s /usr/sbin/nologin {}", "usermod -s /bin/bash {}", "This account is currently not available."),
        ("usermod -s /bin/false {}", "usermod -s /bin/bash {}", "agent"),
        ("sed -i 's/^/command=\"echo files only\" /' {keys}", "sed -i 's/^.*only\" //' {keys}", "(files only)"),
    ],
)
def test_a_login_that_runs_no_commands_is_quoted(
    rollback_ops: RollbackOps, service: Deployed, change: str, back: str, words: str
) -> None:
    rollback_ops.settings(settings(service, f"plain@{service.host.address}"))
    filled = (text.format("plain", keys="/home/plain/.ssh/authorized_keys") for text in (change, back))
    with untouched(service), changed(service.host, *filled):
        ended = rollback_ops(*ROLLBACK)
    assert words in refusal(ended)


def test_what_a_login_prints_is_no_part_of_the_answer(rollback_ops: RollbackOps, away: LabHost) -> None:
    service = away.deploy(owner="deploy")
    rollback_ops.settings(settings(service))
    away.write("/root/bashrc", "echo welcome; echo >&2 beware; printf '\\033[1mno newline, \\001'\n", mode=0o644)
    with changed(away, "install /root/bashrc /home/deploy/.bashrc", "rm /home/deploy/.bashrc"):
        assert away.ssh("true", user="deploy").stdout.startswith("welcome\n")
        ended = rollback_ops(*ROLLBACK)
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    assert service.live() == ended.document["to"]["release"]
    service.remove()


def test_a_login_that_reads_standard_input_does_not_take_the_request(rollback_ops: RollbackOps, away: LabHost) -> None:
    service = away.deploy(owner="deploy")
    rollback_ops.settings(settings(service))
    away.write("/root/bashrc", "read -r answer\n", mode=0o644)
    with changed(away, "install /root/bashrc /home/deploy/.bashrc", "rm /home/deploy/.bashrc"):
        ended = rollback_ops(*ROLLBACK)
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    service.remove()


def test_what_a_host_says_while_it_boots_is_shown(rollback_ops: RollbackOps, service: Deployed) -> None:
    rollback_ops.settings(settings(service, f"plain@{service.host.address}"))
    booting = "printf 'System is booting up.\\nTry again.\\n' >/run/nologin"
    with untouched(service), changed(service.host, booting, "rm -f /run/nologin"):
        ended = rollback_ops(*ROLLBACK)
    assert "System is booting up. Try again." in refusal(ended)
    assert "authorized_keys" not in ended.err


# --- hosts where it may not, or cannot, be done --------------------------------------------------------


def test_a_user_who_may_not_write_is_told_where(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(owner="root")
    rollback_ops.settings(settings(service, f"deploy@{service.host.address}"))
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    detail = refusal(ended)
    assert ("deploy" in detail, service.root in detail) == (True, True)


@pytest.mark.parametrize(
    ("change", "back", "words"),
    [
        ("echo 'Defaults requiretty' >/etc/sudoers.d/tty", "rm /etc/sudoers.d/tty", "tty"),
        ("mv /usr/bin/sudo /usr/bin/sudo.away", "mv /usr/bin/sudo.away /usr/bin/sudo", "the command sudo is missing"),
    ],
)
def test_what_keeps_sudo_from_running_is_not_told_as_a_missing_line_in_sudoers(
    rollback_ops: RollbackOps, away: LabHost, change: str, back: str, words: str
) -> None:
    service = away.deploy(owner="deploy")
    rollback_ops.settings(settings(service))
    with untouched(service), changed(away, change, back):
        detail = refusal(rollback_ops(*ROLLBACK))
    assert words in detail
    assert "without a password" not in detail
    service.remove()


def test_a_user_without_sudo_is_told_each_command_that_is_needed(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(owner="plain")
    rollback_ops.settings(settings(service))
    with untouched(service):
        detail = refusal(rollback_ops(*ROLLBACK))
    verbs = ("stop", "kill -s KILL", "reset-failed", "restart")
    commands = ", ".join(f"/usr/bin/systemctl {verb} -- {service.name}.service" for verb in verbs)
    assert f"`plain ALL=(root) NOPASSWD: {commands}`" in detail


@pytest.mark.parametrize("part", ["", "/journal.jsonl", "/{0}@prod", "/{0}@prod/lock", "/{0}@prod/runs"])
def test_what_somebody_else_has_begun_to_write_down_is_an_obstacle(
    rollback_ops: RollbackOps, deploy: Deploy, part: str
) -> None:
    service = deploy(owner="deploy")
    rollback_ops.settings(settings(service))
    store, state, part = f"{service.root}/.rollback", service.state, part.format(service.name)
    service.host.run(f"umask 077; mkdir -p {state}/runs; touch {state}/lock {store}/journal.jsonl")
    service.host.run(f"chown -R deploy {store}; chown root {store}{part}")
    with untouched(service):
        detail = refusal(rollback_ops(*ROLLBACK))
    assert detail.endswith(f"{store}{part}")


SMALL = "cp -a {0} {0}.copy && mount -t tmpfs -o size=4m,nr_inodes=60,mode=755 small {0} && cp -a {0}.copy/. {0}; "


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        ("cat /dev/zero >{0}/fill || :", "full"),
        ("n=0; while touch {0}/$n; do n=$((n + 1)); done", "inodes"),
        ("mount -o remount,ro {0}", "read-only"),
    ],
    ids=["full", "inodes", "read-only"],
)
def test_a_disk_without_room_is_seen_before_anything_is_stopped(
    rollback_ops: RollbackOps, deploy: Deploy, fill: str, words: str
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service))
    with changed(service.host, (SMALL + fill).format(service.root), f"umount -l {service.root}"), untouched(service):
        plain, emergency = rollback_ops(*ROLLBACK), rollback_ops(*ROLLBACK, "--emergency")
    assert refusal(plain) == refusal(emergency)
    assert (words in refusal(plain), service.root in refusal(plain)) == (True, True)


@pytest.mark.parametrize("owner", ["deploy", "admin"])
def test_a_read_only_file_system_is_not_taken_for_a_missing_permission(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str
) -> None:
    service = deploy(owner=owner)
    rollback_ops.settings(settings(service))
    root = service.root
    read_only = f"mount --bind {root} {root} && mount -o remount,bind,ro {root}"
    with changed(service.host, read_only, f"umount -l {root}"), untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert ("read-only" in refusal(ended), root in refusal(ended)) == (True, True)


def test_a_unit_that_does_not_exist_is_named(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(settings(service, units=[service.name, "no-such-bot"]))
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert "no-such-bot.service" in refusal(ended)
    assert f"{service.name}.service" not in refusal(ended)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ln -sf /dev/null {}", "masked"),
        ("rm {}", "unit file"),
        ("echo '[Service]' >{}", "unit file"),
    ],
)
def test_a_unit_that_would_not_start_again_is_not_stopped(
    rollback_ops: RollbackOps, deploy: Deploy, change: str, words: str
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service))
    unit = f"/etc/systemd/system/{service.name}.service"
    there = f"cp {unit} {unit}.copy; {change.format(unit)}; systemctl daemon-reload"
    back = f"rm -f {unit}; mv {unit}.copy {unit}; systemctl daemon-reload"
    with untouched(service), changed(service.host, there, back):
        ended = rollback_ops(*ROLLBACK)
    assert (f"{service.name}.service" in refusal(ended), words in refusal(ended)) == (True, True)


def test_a_host_that_lacks_a_command_says_which(rollback_ops: RollbackOps, service: Deployed) -> None:
    rollback_ops.settings(settings(service))
    away = "mkdir -p /root/away; mv /usr/bin/flock /usr/bin/timeout /root/away"
    with untouched(service), changed(service.host, away, "mv /root/away/* /usr/bin"):
        ended = rollback_ops(*ROLLBACK)
    assert [word in refusal(ended) for word in ("flock", "timeout", "setsid")] == [True, True, False]
