"""The sudoers lines of docs/hosts.md, to the letter: enough for a rollback, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rollback_ops.config import Service
from rollback_ops.hosts.managers import systemd
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.project import PROJECT
from tests.support.scene import FOUR, SECOND, THIRD, WHY, quick

HOSTS = (PROJECT / "docs/hosts.md").read_text()
RIGHTS = HOSTS.partition("\n## Rights on the host\n")[2].partition("\n## ")[0]
BREAK_GLASS = HOSTS.partition("\n## Break-glass\n")[2].partition("\n## ")[0]
# Every command that works on a host, in an order in which none refuses.
COMMANDS = (
    "list prod",
    "check prod",
    "verify prod",
    "seal prod",
    "install prod",
    "resume prod",
    "guard prod",
    "rollback prod --emergency",
    "history list",
    "history stats",
    f"history log --env prod --to {THIRD} --reason by-hand",
)
MAY_NOT = (
    "id",
    "sh -c id",
    "systemctl stop -- ssh.service",
    "systemctl daemon-reload",
    "systemctl start -- {unit}",
    "systemctl restart -- {unit} ssh.service",
    "systemctl kill -s KILL -- ssh.service",
    "systemctl stop --force -- {unit}",
    "systemctl edit {unit}",
    "systemctl -H root@localhost stop -- {unit}",
    "systemd-run id",
    "supervisorctl stop all",
    "-u plain id",
    "-s",
)


@pytest.fixture(scope="module")
def strict(lab: Lab) -> Iterator[LabHost]:
    """A host on which ``deploy`` may do nothing through sudo but what a test gives it."""
    with lab.boot("strict") as host:
        host.run("rm /etc/sudoers.d/deploy")
        yield host


def install(host: LabHost, lines: str) -> None:
    """As the document says it: checked by visudo first."""
    host.write("/etc/sudoers.d/rosey.new", lines, mode=0o440)
    host.run("visudo -c -f /etc/sudoers.d/rosey.new && mv /etc/sudoers.d/rosey.new /etc/sudoers.d/rosey && visudo -c")


def rolled_back(rollback_ops: RollbackOps, service: Deployed) -> None:
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, ended.document["from"]["release"], service.live()) == (0, THIRD, SECOND), ended.err
    assert service.is_running()


def leave_nothing(service: Deployed) -> None:
    """The next test's service has the same name, and other releases with the same revisions."""
    service.remove()
    service.host.run(f"rm -r {service.root}")


def line_of_check(rollback_ops: RollbackOps) -> str:
    """The line for sudoers that ``check`` prints where it is missing."""
    ended = rollback_ops("check", "prod")
    assert ended.code == 1
    (line,) = re.findall(r"`(deploy ALL=[^`]*)`", ended.out)
    return f"{line}\n"


def test_the_lines_for_systemd_are_enough_for_a_rollback_and_for_nothing_else(
    rollback_ops: RollbackOps, strict: LabHost
) -> None:
    (block,) = re.findall(r"^```text\n(deploy ALL=.*?)^```$", RIGHTS, re.MULTILINE | re.DOTALL)
    service = strict.deploy("cytube-bot", owner="deploy")
    rollback_ops.settings(quick(service))
    line = line_of_check(rollback_ops)
    assert line.split() == block.replace("\\\n", "").split()
    install(strict, line)
    rolled_back(rollback_ops, service)
    for command in MAY_NOT:
        line = f"sudo -n {command.format(unit='cytube-bot.service')}"
        assert strict.run(line, user="deploy", check=False).returncode != 0, line
    assert service.is_running()
    assert {words: rollback_ops(*words.split()).code for words in COMMANDS} == dict.fromkeys(COMMANDS, 0)
    # The unit runs, so systemctl ends with 0.
    for line in systemd.commands(Service(root=service.root, units=["cytube-bot"]), "bot").first_aid:
        strict.run(line, user="deploy")
    leave_nothing(service)


def test_the_lines_of_break_glass_work_as_the_owner_with_the_rights_of_the_documents(
    rollback_ops: RollbackOps, strict: LabHost
) -> None:
    (rights,) = re.findall(r"^```text\n(deploy ALL=.*?)^```$", RIGHTS, re.MULTILINE | re.DOTALL)
    program, by_hand = re.findall(r"^```sh\n(.*?)^```$", BREAK_GLASS, re.MULTILINE | re.DOTALL)
    service = strict.deploy("cytube-bot", owner="deploy", releases=FOUR)
    install(strict, rights)
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("install", "prod").code == 0
    for line, live in zip(program.splitlines(), ("b4", "b3", "b2"), strict=True):
        done = strict.run(f"{as_here(line, service)} 2>&1 </dev/null", user="deploy", check=False)
        assert (done.returncode, service.live()) == (0, live), done.stdout
    strict.run(as_here(by_hand, service).replace("backup_20261121_164500", "b1"), user="deploy")
    assert service.live() == "b1"
    assert service.is_running()
    leave_nothing(service)


def as_here(lines: str, service: Deployed) -> str:
    """Return command lines of the documents with the paths of this service."""
    return lines.replace("/opt/rosey-bot/backups/prod", service.releases_directory).replace(
        "/opt/rosey-bot", service.root
    )


def test_only_the_further_lines_that_a_host_needs_are_demanded(rollback_ops: RollbackOps, strict: LabHost) -> None:
    (block,) = re.findall(r"^```text\n(deploy ALL=.*?)^```$", RIGHTS, re.MULTILINE | re.DOTALL)
    revive, reload = re.findall(r"`(/usr/bin/systemctl (?:start|daemon-reload)[^`]*)`", RIGHTS)
    service = strict.deploy("cytube-bot", owner="deploy")
    rollback_ops.settings(quick(service))
    install(strict, block)
    assert rollback_ops("check", "prod").code == 0
    proxy, unit = "/etc/systemd/system/proxy.service", "/etc/systemd/system/cytube-bot.service"
    strict.write(
        proxy, "[Unit]\nBindsTo=cytube-bot.service\nAfter=cytube-bot.service\n[Service]\nExecStart=/bin/sleep 1000\n"
    )
    strict.run(f"for r in {service.releases_directory}/*; do cp {unit} $r/app.service; done")
    strict.run(f"ln -sfn {service.root}/current/app.service {unit}; systemctl daemon-reload; systemctl start proxy")

    line = line_of_check(rollback_ops)
    install(strict, block + line)
    rolled_back(rollback_ops, service)

    # sudoers has a backslash before an equals sign.
    assert line.replace("\\", "") == f"deploy ALL=(root) NOPASSWD: {revive}, {reload}\n"
    assert strict.run("systemctl is-active proxy", check=False).stdout == "active\n"
    strict.run(f"systemctl stop proxy; rm {proxy}")
    leave_nothing(service)


@pytest.mark.long
def test_the_lines_for_supervisor_are_enough_for_a_rollback_and_for_nothing_else(
    rollback_ops: RollbackOps, strict: LabHost
) -> None:
    commands = re.findall(r"`(/usr/bin/supervisorctl [^`]+)`", RIGHTS)
    assert len(commands) == 4
    service = strict.deploy("web", owner="deploy", manager="supervisor")
    rollback_ops.settings(quick(service))
    install(strict, "# nothing yet\n")
    line = line_of_check(rollback_ops)
    assert sorted(line.partition("NOPASSWD: ")[2].strip().split(", ")) == sorted(commands)
    install(strict, line)
    rolled_back(rollback_ops, service)
    for command in (*MAY_NOT[:3], "supervisorctl stop other", "supervisorctl shutdown", "supervisorctl"):
        assert strict.run(f"sudo -n {command}", user="deploy", check=False).returncode != 0, command
    leave_nothing(service)
