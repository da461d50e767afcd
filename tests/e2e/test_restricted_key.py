"""A key whose only command is the installed program: it can roll back, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollback_ops.hosts.agent.restricted import request
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import command
from tests.support.lab.host import QUICK_KEYS
from tests.support.lab.lab import Lab
from tests.support.project import PROJECT
from tests.support.scene import FOUR, WHY, checks, listing, marks, pid, quick, released
from tests.support.waiting import history

Deploy = Callable[..., Deployed]
DOCUMENT = (PROJECT / "docs/hosts.md").read_text()


@dataclass
class Key:
    """A key of its own for one user of the host, with OpenSSH's client to try what it can do."""

    path: Path
    known_hosts: Path
    service: Deployed
    user: str

    def authorize(self, options: str) -> None:
        line = f"{options} {self.path.with_suffix('.pub').read_text()}"
        home = f"/home/{self.user}/.ssh/authorized_keys"
        self.service.host.run(f"cat >>{home}", stdin=line.encode())

    def ssh(self, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ssh", *self._options, *options, f"{self.user}@{self.service.host.address}", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def sftp(self) -> subprocess.CompletedProcess[str]:
        words = ["sftp", *self._options, "-b", "-", f"{self.user}@{self.service.host.address}"]
        return subprocess.run(words, input="ls /\n", capture_output=True, text=True, timeout=30, check=False)

    @property
    def _options(self) -> list[str]:
        known = f"UserKnownHostsFile={self.known_hosts}"
        chosen = ("BatchMode=yes", "IdentitiesOnly=yes", known, "ConnectTimeout=5", QUICK_KEYS)
        return ["-F", "/dev/null", "-i", str(self.path), *(word for each in chosen for word in ("-o", each))]


@pytest.fixture
def made(lab: Lab, tmp_path: Path) -> Callable[..., Key]:
    def make(service: Deployed, user: str = "deploy") -> Key:
        path, known = tmp_path / "key", tmp_path / "known_hosts"
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "restricted", "-f", str(path))
        known.write_text(lab.known_hosts)
        return Key(path, known, service, user)

    return make


def restricted(rollback_ops: RollbackOps, service: Deployed, key: Key) -> RollbackOps:
    """The command with the restricted key, told that it is one."""
    other = rollback_ops.directory / "workflow"
    other.mkdir()
    workflow = RollbackOps(other, {**rollback_ops.secrets, "ROLLBACK_SSH_KEY": key.path.read_text()})
    login = f"{key.user}@{service.host.address}"
    workflow.settings(quick(service, pattern="b*", hosts=[login], environment={"restricted": True}))
    return workflow


@pytest.fixture
def service(deploy: Deploy, rollback_ops: RollbackOps) -> Deployed:
    deployed = deploy(owner="deploy", releases=FOUR)
    rollback_ops.settings(quick(deployed, pattern="b*"))
    assert rollback_ops("install", "prod").code == 0
    return deployed


def documented(service: Deployed, pattern: str) -> str:
    """A text of docs/hosts.md, with this service in the place of the one of the examples."""
    (found,) = re.findall(pattern, DOCUMENT, re.MULTILINE)
    return str(found).replace("/opt/rosey-bot", service.root).replace("localhost:8080", f"127.0.0.1:{service.port}")


@pytest.fixture
def key(service: Deployed, made: Callable[..., Key]) -> Key:
    """As documented: one command, and one port for the health check."""
    key = made(service)
    key.authorize(documented(service, r"^(restrict,command=.*) ssh-ed25519 AAAA… workflow$"))
    return key


def test_a_workflow_with_such_a_key_rolls_back_and_verifies(
    rollback_ops: RollbackOps, service: Deployed, key: Key
) -> None:
    workflow = restricted(rollback_ops, service, key)
    reason = 'it\'s $(touch /tmp/canary) `id`; "quoted" \\ and ünwell'

    ended = workflow("rollback", "prod", "--reason", reason, "--json")

    assert ended.code == 0, ended.err
    assert ended.document["reason"] == reason
    assert checks(ended.document)["health"] == ("passed", 'release is "b3"')
    assert (service.live(), released(service)) == ("b3", "b3")
    assert marks(workflow) == {"b1": "", "b2": "", "b3": "good", "b4": ""}
    assert [record["reason"] for record in history(workflow)] == [reason]
    assert workflow("check", "prod").code == 0
    assert workflow("verify", "prod").code == 0
    assert workflow("rollback", "prod", "--emergency").code == 0
    assert released(service) == "b2"
    assert service.host.run("test -e /tmp/canary", check=False).returncode == 1


def test_a_log_file_is_read_with_such_a_key_from_where_it_ended(
    rollback_ops: RollbackOps, service: Deployed, key: Key
) -> None:
    log = {"log": {"kind": "logs", "file": "bot.log"}}
    settings = {"pattern": "b*", "hosts": [f"deploy@{service.host.address}"], "checks": log}
    service.host.write(f"{service.root}/bot.log", "CRITICAL of long ago\n", owner="deploy")
    rollback_ops.settings(quick(service, **settings))
    assert rollback_ops("install", "prod").code == 0
    workflow = restricted(rollback_ops, service, key)
    workflow.settings(quick(service, **settings, environment={"restricted": True}))

    assert checks(workflow("verify", "prod", "--json").document)["log"][0] == "passed"
    assert checks(workflow("rollback", "prod", *WHY, "--json").document)["log"][0] == "passed"
    warnings = workflow("check", "prod", "--json").document["warnings"]
    assert [warning for warning in warnings if ".requires " not in warning and " is held " not in warning] == []
    attack = key.ssh("--", f"{service.root}{PROGRAM} ask = =5,$(id),0,ab,1 =id")
    assert (attack.returncode, "uid=" in attack.stdout) == (64, False)


def test_what_is_asked_comes_from_the_settings_on_the_host(
    rollback_ops: RollbackOps, service: Deployed, key: Key
) -> None:
    workflow = restricted(rollback_ops, service, key)
    sneaky = {"sneaky": {"kind": "command", "run": "touch /tmp/canary", "phase": "before"}}
    login = f"deploy@{service.host.address}"
    workflow.settings(quick(service, pattern="b*", hosts=[login], environment={"restricted": True}, checks=sneaky))
    ended = workflow("rollback", "prod", *WHY)
    assert (ended.code, service.live()) == (1, "b4")
    assert "other settings: run rollback-ops install" in ended.out
    assert service.host.run("test -e /tmp/canary", check=False).returncode == 1


@pytest.mark.parametrize("operation", ["seal", "install"])
def test_it_can_neither_vouch_for_a_release_nor_replace_the_program(
    rollback_ops: RollbackOps, service: Deployed, key: Key, operation: str
) -> None:
    workflow, before = restricted(rollback_ops, service, key), listing(service)
    ended = workflow(operation, "prod")
    assert ended.code == 1
    assert "this key may roll" in ended.err
    assert "ROLLBACK_SSH_KEY" in ended.err
    assert listing(service) == before


def test_a_full_key_is_used_where_an_operation_needs_one(rollback_ops: RollbackOps, service: Deployed) -> None:
    rollback_ops.settings(quick(service, pattern="b*", environment={"restricted": True}))
    assert rollback_ops("seal", "prod", "b2").code == 0
    assert rollback_ops("install", "prod").code == 0


PROGRAM = "/.rollback/rollback --request"
ATTACKS = (
    "id",
    "sh -c id",
    "/bin/sh",
    "--list;id",
    "--list\nid",
    "--list $(touch /tmp/canary)",
    "--list `touch /tmp/canary`",
    "--backup ../../../etc --reason logins fail",
    "--backup b3;touch$IFS/tmp/canary --reason logins fail",
    "--reason $(touch /tmp/canary)",
    "--list | touch /tmp/canary",
    "--list > /tmp/canary",
    "-c id",
    "--forced id",
    "--request worker =x",
    "{program} worker =20240101T000000Z-00000001",
    "{program} aftermath =..",
    "{program} converse =x",
    "{program} install",
    "{program} seal =b3",
    "{program} survey =no;id",
    "{program} survey no",
    "{program} inspect =..%057..%057etc",
    "{program} inspect =b3 =5",
    "{program} follow =..%057..%057..%057etc",
    "{program} ask =%044(id) =5 =id",
    "{program} switch =x =%056%056 =x =no =me = ={{}} =yes",
    "{program} switch =x =../../etc =x =no =me = ={{}} =yes",
    "{program} switch =../x =b3 =x =no =me = ={{}} =yes",
    "{program} switch =x =b3%012 =x =no =me = ={{}} =yes",
    "{program} record =x =one%012two",
    "scp -t /tmp/canary",
    "rsync --server . /tmp/canary",
    "git-upload-pack /",
)


def test_nothing_else_is_run_with_it(service: Deployed, key: Key) -> None:
    before, process = listing(service), pid(service)
    program = service.root + PROGRAM
    with ThreadPoolExecutor(4) as several:
        answers = several.map(
            lambda attack: key.ssh("--", attack.replace("{program}", program).replace("{{}}", "{}")), ATTACKS
        )
        for attack, ended in zip(ATTACKS, answers, strict=True):
            assert ended.returncode in (1, 64), (attack, ended)
            assert "uid=" not in ended.stdout + ended.stderr, attack
            assert "root:" not in ended.stdout, attack
    assert service.host.run("test -e /tmp/canary", check=False).returncode == 1
    assert (service.live(), pid(service)) == ("b4", process)
    assert listing(service) == before


def test_a_question_that_is_not_among_the_settings_is_not_put_to_anybody(service: Deployed, key: Key) -> None:
    ended = key.ssh("--", f"{service.root}{PROGRAM} ask = =5 =touch%040/tmp/canary =5 =id")
    assert ended.returncode == 0
    assert "answered\t0\t126" in ended.stdout
    assert "uid=" not in ended.stdout
    assert service.host.run("test -e /tmp/canary", check=False).returncode == 1


def test_a_request_for_a_release_that_the_plan_refuses_is_refused_on_the_host(service: Deployed, key: Key) -> None:
    service.host.run(f"cd {service.releases_directory} && chown plain b3 && chmod o+w b2")

    def ask(target: str) -> str:
        run = f"20240101T000000Z-0000000{target[-1]}"
        about = {"event": "intent", "id": run, "service": service.name, "environment": "prod", "mode": "targeted"}
        intent = json.dumps(about | {"from": "b4", "to": target, "at": "2024-01-01T00:00:00Z"}, separators=(",", ":"))
        source = f"{service.releases_directory}/b4"
        words = request(f"{service.root}/.rollback/rollback", "switch", run, target, source, "no", "me", "", intent)
        return key.ssh("--", words).stdout

    for target, why in (("b3", "plain"), ("b2", "everybody")):
        answer = ask(target)
        assert "result\trefused\t" in answer, answer
        assert (why in answer, service.live()) == (True, "b4")
    assert ("result\tswitched\tb1" in ask("b1"), service.live()) == (True, "b1")


def test_it_opens_no_shell_no_terminal_no_files_and_no_other_port(service: Deployed, key: Key) -> None:
    shell = key.ssh()
    assert (shell.returncode, shell.stdout) == (64, "")
    assert "this key may roll" in shell.stderr
    terminal = key.ssh("--", "--list", options=("-tt",))
    assert "PTY allocation request failed" in terminal.stderr
    assert key.sftp().returncode != 0
    assert "root" not in key.sftp().stdout
    health = key.ssh(options=("-W", f"127.0.0.1:{service.port}"))
    assert "administratively prohibited" not in health.stderr
    ssh = key.ssh(options=("-W", "127.0.0.1:22"))
    assert "administratively prohibited" in ssh.stderr
    assert "SSH-" not in ssh.stdout


def test_a_person_can_use_it_with_nothing_but_ssh(service: Deployed, key: Key) -> None:
    listed = key.ssh("--", "--list")
    assert (listed.returncode, "→  b3" in listed.stdout) == (0, True)
    assert key.ssh("--", "--dry-run").returncode == 0
    assert (key.ssh("--", "--check").returncode, service.live()) == (0, "b4")
    assert key.ssh("--").returncode == 64
    ended = key.ssh("--", "--to b2 --reason logins fail since 14:05")
    assert (ended.returncode, service.live()) == (0, "b2"), ended.stderr
    assert key.ssh("--", "--emergency").returncode == 0
    assert service.live() == "b1"


def test_a_user_without_any_rights_may_roll_back_what_belongs_to_root(
    rollback_ops: RollbackOps, deploy: Deploy, made: Callable[..., Key]
) -> None:
    service = deploy(owner="root", releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("install", "prod").code == 0
    place = f"{service.root}/.rollback/rollback"
    sudoers = documented(service, r"^deploy (ALL=.* --forced \*)$")
    service.host.write(f"/etc/sudoers.d/{service.name}", f"plain {sudoers}\n", mode=0o440)
    key = made(service, "plain")
    forced = documented(service, r'use `(command="sudo -n .*)` in authorized_keys')
    key.authorize(f'restrict,{forced},port-forwarding,permitopen="127.0.0.1:{service.port}"')

    ended = restricted(rollback_ops, service, key)("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert released(service) == "b3"
    before = listing(service)
    for attack in ("id", "$(id)", "--list $(touch /tmp/canary)", ""):
        assert key.ssh("--", attack).returncode == 64
    for words in (f"{place} --forced --emergency", f"{place} worker x", f"{place} --list", "id"):
        assert key.service.host.run(f"sudo -n {words}; test -e /tmp/canary", user="plain", check=False).returncode == 1
    assert (service.live(), released(service)) in (("b3", "b3"), ("b2", "b2"))
    assert before
