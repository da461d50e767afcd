"""Unknown health is never a pass, never a failure, and no reason to mark, restore, go on or roll back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.scene import FOUR, WHY, checks, marks

# Only the deadline ends a verification that can ask nothing. Each check is asked twice, and has ten seconds to answer.
UNDECIDED = {"min_healthy_time": "0s", "healthy_deadline": "20s", "interval": "10s"}
NOWHERE = "no-such-name.invalid"
# Checks that cannot be asked on the host of this module.
UNASKED = {
    "forwarded": {"kind": "http", "url": "http://127.0.0.1:{port}/health"},
    "unresolved": {"kind": "tcp", "address": f"{NOWHERE}:80"},
    "unresolved_here": {"kind": "http", "url": f"http://{NOWHERE}/", "from": "runner"},
    "no_journal": {"kind": "logs"},
    "no_log": {"kind": "logs", "file": "none.log"},
    "hidden_log": {"kind": "logs", "file": "/root/hidden.log"},
    "foreign_log": {"kind": "logs", "file": "foreign.log"},
    "vanishing_log": {"kind": "logs", "file": "vanishing.log"},
    "no_log_command": {"kind": "logs", "command": "no-such-command"},
    "no_command": {"kind": "command", "run": "no-such-command"},
    "no_program": {"kind": "command", "run": "./service.py"},
    "no_interpreter": {"kind": "command", "run": "./odd"},
}
# The words of a command, what its verification does on a failure, its exit code, and the release that is live then.
COMMANDS: Mapping[str, tuple[tuple[str, ...], str, int, str]] = {
    "verify": (("verify", "prod"), "report", 2, "b4"),
    "guard": (("guard", "prod"), "restore", 1, "b4"),
    "restore": (("rollback", "prod", *WHY), "restore", 2, "b3"),
    "older": (("rollback", "prod", *WHY), "older", 2, "b3"),
}
# The check's own session ends to answer: it stops the sshd process above it. For three seconds that is past the end of
# the verification, and before anybody has given the host up.
STOP_SSHD = (
    "at=$$; until read -r name </proc/$at/comm && case $name in sshd*) ;; *) false ;; esac; do "
    "at=$(sed -n 's/^PPid:.//p' /proc/$at/status); done; kill -STOP $at; sleep {seconds}; kill -CONT $at"
)


@pytest.fixture(scope="module")
def odd(lab: Lab) -> Iterator[LabHost]:
    """A host whose sshd forwards nothing for ``deploy``, nowhere for ``admin``, and nothing for root's key."""
    with lab.boot("odd") as host:
        rules = "Match User deploy\n  AllowTcpForwarding no\nMatch User admin\n  PermitOpen none\nMatch all\n"
        host.write("/etc/ssh/sshd_config.d/odd.conf", rules)
        host.run("sed -i 's/^/restrict /' /root/.ssh/authorized_keys && systemctl reload ssh")
        host.write("/root/hidden.log", "")
        yield host


def command_for(lab: Lab, directory: Path, service: Deployed, **settings: Any) -> RollbackOps:
    """The command with settings for this service alone."""
    directory.mkdir()
    known = service.host.known_hosts_line()
    rollback_ops = RollbackOps(directory, {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": known})
    rollback_ops.settings(service.toml(pattern="b*", **settings))
    return rollback_ops


def has_changed_nothing(ended: Ended, command: str, rollback_ops: RollbackOps, service: Deployed) -> None:
    """The command ended as one whose verification is unknown: what was live is live, and without a mark."""
    *_, code, live = COMMANDS[command]
    assert ended.code == code, ended.out
    assert ended.document["outcome"] == ("refused" if command == "guard" else "health_unknown")
    assert (service.live(), service.is_running()) == (live, True)
    marked = marks(rollback_ops)
    assert (marked["b1"], marked["b2"], marked[live]) == ("", "", "")


def asked_of(service: Deployed) -> dict[str, Any]:
    return {name: {k: v.replace("{port}", str(service.port)) for k, v in c.items()} for name, c in UNASKED.items()}


def deployed_unasked(odd: LabHost) -> Deployed:
    """A service with a log that goes away when it is started, and with programs that cannot be run."""
    files = {"foreign.log": "", "vanishing.log": ""}
    vanishes = ["ExecStartPre=+/bin/rm -f /srv/%p/vanishing.log"]
    service = odd.deploy(owner="deploy", releases=FOUR, options=vanishes, files=files)
    odd.run(
        f"chown root: {service.root}/foreign.log && chmod 600 {service.root}/foreign.log && "
        f"for each in {service.releases_directory}/*; do "
        "printf '#!/no/such/interpreter\\n' >$each/odd; chmod 755 $each/odd; chown deploy: $each/odd; done"
    )
    return service


@pytest.fixture
def unasked(odd: LabHost) -> Iterator[Deployed]:
    service = deployed_unasked(odd)
    yield service
    service.remove()


@pytest.mark.parametrize(
    "commands", [("verify", "guard", "restore"), pytest.param(("older",), marks=pytest.mark.long)], ids=",".join
)
def test_what_cannot_be_asked_is_unknown_and_nothing_comes_of_it(
    lab: Lab, tmp_path: Path, odd: LabHost, commands: tuple[str, ...]
) -> None:
    """All commands at the same time, each on a service of its own."""

    def play(command: str) -> None:
        words, on_failure, *_ = COMMANDS[command]
        service = deployed_unasked(odd)
        policy = UNDECIDED | {"on_failure": on_failure}
        rollback_ops = command_for(lab, tmp_path / command, service, checks=asked_of(service), verify=policy)

        ended = rollback_ops(*words, "--json")

        found = checks(ended.document)
        assert {name: found[name] for name in UNASKED if found[name][0] != "unknown"} == {}, command
        assert found["process"][0] == "passed", command
        has_changed_nothing(ended, command, rollback_ops, service)
        service.remove()

    with ThreadPoolExecutor() as pool:
        list(pool.map(play, commands))


def test_a_check_says_beforehand_what_cannot_be_asked_and_refuses_nothing(
    lab: Lab, tmp_path: Path, unasked: Deployed
) -> None:
    unused = f"127.0.0.1:{unasked.port + 5}"
    wrong = {"wrong_port": {"kind": "command", "run": f"curl -sS http://{unused}/"}}
    rollback_ops = command_for(lab, tmp_path / "run", unasked, checks=asked_of(unasked) | wrong, verify=UNDECIDED)

    ended = rollback_ops("check", "prod", "--json")

    assert (ended.code, ended.document["outcome"]) == (0, "nothing_to_do")
    told = "\n".join(ended.document["warnings"])
    assert [name for name in (*UNASKED, "wrong_port") if f"the check {name} " not in told] == []
    assert "the check process " not in told
    assert unused.rpartition(":")[2] in told


def test_a_check_says_that_nothing_but_the_process_would_be_looked_at(
    lab: Lab, tmp_path: Path, unasked: Deployed
) -> None:
    before = {"before": {"kind": "command", "run": "true", "phase": "before"}}
    rollback_ops = command_for(lab, tmp_path / "run", unasked, checks=before)
    ended = rollback_ops("check", "prod", "--json")
    about = [warning for warning in ended.document["warnings"] if f"services.{unasked.name}.checks" in warning]
    assert (ended.code, len(about)) == (0, 1)


def test_a_host_that_forwards_no_connection_has_an_unknown_service(lab: Lab, odd: LabHost, tmp_path: Path) -> None:
    def play(owner: str, why: str) -> None:
        service = odd.deploy(owner=owner, releases=FOUR)
        rollback_ops = command_for(lab, tmp_path / owner, service, verify=UNDECIDED | {"healthy_deadline": "10s"})
        ended = rollback_ops("guard", "prod", "--json")
        assert checks(ended.document)["health"][0] == "unknown", why
        has_changed_nothing(ended, "guard", rollback_ops, service)
        service.remove()

    with ThreadPoolExecutor() as pool:
        list(pool.map(play, ("admin", "root"), ("PermitOpen none", "a key with restrict")))


def test_a_host_whose_sshd_hangs_during_the_verification_has_an_unknown_service(
    lab: Lab, host: LabHost, tmp_path: Path
) -> None:
    """All commands at the same time, each on a service and a connection of its own."""

    def play(command: str, seconds: int) -> None:
        words, on_failure, *_ = COMMANDS[command]
        service = host.deploy(releases=FOUR)
        policy = {"min_healthy_time": "0s", "healthy_deadline": "2s", "on_failure": on_failure}
        stuck = {"stuck": {"kind": "command", "run": STOP_SSHD.format(seconds=seconds), "timeout": "60s"}}
        rollback_ops = command_for(lab, tmp_path / f"{command}{seconds}", service, checks=stuck, verify=policy)
        ended = rollback_ops(*words, "--json")
        assert checks(ended.document)["stuck"][0] == "unknown"
        has_changed_nothing(ended, command, rollback_ops, service)
        service.remove()

    with ThreadPoolExecutor() as pool:
        try:
            list(pool.map(play, [*COMMANDS, "guard", "restore"], [60] * len(COMMANDS) + [3, 3]))
        finally:
            host.run("pkill -CONT sshd", check=False)


def test_a_host_that_stands_still_during_the_verification_has_an_unknown_service(
    lab: Lab, hosts: Callable[[int], list[LabHost]], tmp_path: Path
) -> None:
    """Two commands at the same time, each with a host of its own."""

    def play(command: str, host: LabHost) -> None:
        words, on_failure, *_ = COMMANDS[command]
        service = host.deploy(releases=FOUR)
        stands = {
            "stands": {"kind": "command", "run": f"touch {service.root}/asked; sleep 60", "timeout": "60s"},
            "outside": {"kind": "http", "url": f"http://{host.address}:{service.port}/health", "from": "runner"},
        }
        # Long enough for the first question, and over before the connection is given up (10 s without a packet).
        policy = {"min_healthy_time": "0s", "healthy_deadline": "8s", "on_failure": on_failure}
        rollback_ops = command_for(lab, tmp_path / command, service, checks=stands, verify=policy)
        with ThreadPoolExecutor() as pool:
            running = pool.submit(rollback_ops, *words, "--json")
            wait_until(lambda: host.path(f"{service.root}/asked").exists(), 60, "the first question")
            with host.frozen():
                ended = running.result()
        has_changed_nothing(ended, command, rollback_ops, service)
        service.remove()

    with ThreadPoolExecutor() as pool:
        list(pool.map(play, ("guard", "restore"), hosts(2)))
