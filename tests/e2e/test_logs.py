"""The ``logs`` check on real hosts: whose journal it reads, and what of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.service import CRITICAL
from tests.support.scene import PATIENT

Deploy = Callable[..., Deployed]

CHECK = {"log": {"kind": "logs"}}
PACE = {"min_healthy_time": "700ms", "healthy_deadline": "60s"}
# Only the deadline ends a verification of which nothing is known.
UNDECIDED = {"min_healthy_time": "0s", "healthy_deadline": "10s", "interval": "5s"}
# At every start, the service logs the contents of the file `say` in its root, with the name of that start.
SAYS = ["ExecStartPost=/bin/sh -c 'cat /srv/%p/say'"]
GOOD_NEWS = "INFO 0 critical errors\nINFO log level set to CRITICAL\nERROR a request failed, it will be tried again\n"


def log_of(ended: Ended) -> dict[str, Any]:
    """The result of the check ``log`` on the first host."""
    (found,) = (check for check in ended.document["hosts"][0]["checks"] if check["name"] == "log")
    assert isinstance(found, dict)
    return found


def roll_back(rollback_ops: RollbackOps) -> Ended:
    return rollback_ops("rollback", "prod", "--reason", "logins fail since the deploy", "--json")


@pytest.mark.parametrize(
    ("owner", "manager"),
    [
        pytest.param("root", "systemd", id="as root", marks=pytest.mark.long),
        pytest.param("admin", "systemd", id="with sudo"),
        pytest.param("deploy", "systemd-user", id="of the user's own systemd"),
    ],
)
def test_a_target_that_logs_a_critical_line_fails_and_the_lines_of_the_release_before_do_not_count(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str, manager: str
) -> None:
    releases = {"b1": "logs_critical", "b2": "healthy", "b3": "logs_critical"}
    service = deploy(owner=owner, manager=manager, releases=releases)
    rollback_ops.settings(service.toml(pattern="b*", checks=CHECK, verify=PACE))

    well, unhealthy = roll_back(rollback_ops), roll_back(rollback_ops)

    assert well.code == 0, well.out
    assert log_of(well)["outcome"] == "passed"
    assert unhealthy.code == 2, unhealthy.out
    found = log_of(unhealthy)
    assert (found["kind"], found["outcome"]) == ("logs", "failed")
    assert CRITICAL in found["detail"]
    assert service.live() == "b1"


def test_a_deployed_release_that_logs_a_critical_line_is_rolled_back_with_that_trigger(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "logs_critical"})
    rollback_ops.settings(service.toml(pattern="b*", checks=CHECK, verify=PACE))
    ended = rollback_ops("guard", "prod", "--json")
    assert ended.document["trigger"] == "log-error", ended.out
    assert service.live() == "b1"


def test_the_lines_that_are_shown_of_a_crash_are_those_of_this_start(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "crash_at_once", "b2": "logs_critical"})
    rollback_ops.settings(service.toml(pattern="b*", verify=PACE))

    ended = roll_back(rollback_ops)

    shown = [line for line in ended.err.splitlines() if f"{service.host.address} | " in line]
    assert shown, ended.err
    assert not any(CRITICAL in line for line in shown)


def test_noise_does_not_fire_and_a_critical_line_after_a_restart_does(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(options=SAYS, files={"say": GOOD_NEWS})
    rollback_ops.settings(service.toml(checks=CHECK, verify=PACE))
    assert rollback_ops("verify", "prod", "--json").code == 0

    service.host.write(f"{service.root}/say", "FATAL: no database, password=hunter2\n")
    service.host.run(f"systemctl restart {service.units[0]}")
    unhealthy = rollback_ops("verify", "prod", "--json")
    assert unhealthy.code == 2
    assert log_of(unhealthy)["detail"].endswith("FATAL: no database, password=***")

    service.host.write(f"{service.root}/say", GOOD_NEWS)
    service.host.run(f"systemctl restart {service.units[0]}")
    assert rollback_ops("verify", "prod", "--json").code == 0


def test_a_critical_line_of_any_unit_counts(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(units=2, options=["ExecStartPost=/bin/sh -c 'cat /srv/%p/say || :'"])
    rollback_ops.settings(service.toml(checks=CHECK, verify=PACE))
    assert rollback_ops("verify", "prod", "--json").code == 0
    service.host.write(f"/srv/{service.units[1]}/say", "panic: out of luck\n")
    service.host.run(f"systemctl restart {service.units[1]}")
    assert log_of(rollback_ops("verify", "prod", "--json"))["detail"].endswith("panic: out of luck")


def test_a_journal_that_the_user_may_not_read_is_never_one_without_errors(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    """The user sees the lines of its own processes, and not what systemd and others say of the unit."""
    service = deploy(owner="deploy")
    rollback_ops.settings(service.toml(checks=CHECK, verify=UNDECIDED))
    ended = roll_back(rollback_ops)
    assert ended.code == 2, ended.out
    assert log_of(ended)["outcome"] == "unknown"
    assert log_of(ended)["detail"] == (
        "the journal could not be read: deploy sees no line of this start (group systemd-journal, "
        "or sudo journalctl): sudo: a password is required"
    )


def test_a_user_who_may_run_journalctl_as_root_reads_it(rollback_ops: RollbackOps, fresh_host: LabHost) -> None:
    fresh_host.write("/etc/sudoers.d/journal", "deploy ALL=(root) NOPASSWD: /usr/bin/journalctl\n", mode=0o440)
    service = fresh_host.deploy(owner="deploy")
    rollback_ops.secrets = {**rollback_ops.secrets, "ROLLBACK_KNOWN_HOSTS": fresh_host.known_hosts_line()}
    rollback_ops.settings(service.toml(checks=CHECK, verify=PATIENT))

    allowed = rollback_ops("verify", "prod", "--json")
    fresh_host.run("rm /etc/sudoers.d/journal && gpasswd --add deploy systemd-journal")
    member = rollback_ops("verify", "prod", "--json")

    assert (allowed.code, log_of(allowed)["outcome"]) == (0, "passed"), allowed.out
    assert (member.code, log_of(member)["outcome"]) == (0, "passed"), member.out


def test_a_host_that_keeps_no_journal_has_not_shown_that_there_are_no_errors(
    rollback_ops: RollbackOps, fresh_host: LabHost
) -> None:
    fresh_host.write("/etc/systemd/journald.conf.d/none.conf", "[Journal]\nStorage=none\n")
    fresh_host.run("systemctl restart systemd-journald && rm -rf /var/log/journal/* /run/log/journal/*")
    service = fresh_host.deploy()
    rollback_ops.secrets = {**rollback_ops.secrets, "ROLLBACK_KNOWN_HOSTS": fresh_host.known_hosts_line()}
    rollback_ops.settings(service.toml(checks=CHECK, verify=UNDECIDED))

    ended = roll_back(rollback_ops)

    assert ended.code == 2
    assert log_of(ended)["outcome"] == "unknown"


@pytest.mark.long
def test_a_file_is_read_from_where_it_ended_before_the_start(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    """Under supervisor, which keeps no journal: both releases write to the same file."""
    releases = {"b1": "logs_critical", "b2": "healthy", "b3": "logs_critical"}
    options = ["redirect_stderr=true", "stdout_logfile=/srv/%(program_name)s/bot.log"]
    service = deploy(manager="supervisor", releases=releases, options=options)
    checks = {"log": {"kind": "logs", "file": "bot.log"}}
    rollback_ops.settings(service.toml(pattern="b*", checks=checks, verify=PACE))

    well, unhealthy = roll_back(rollback_ops), roll_back(rollback_ops)

    assert CRITICAL in service.host.read(f"{service.root}/bot.log")
    assert well.code == 0, well.out
    assert "bot.log" in log_of(well)["detail"]
    assert unhealthy.code == 2, unhealthy.out
    assert ("bot.log" in log_of(unhealthy)["detail"], f"<2>{CRITICAL}" in log_of(unhealthy)["detail"]) == (True, True)


def test_a_service_that_somebody_else_started_is_watched_from_the_first_look_on(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(files={"bot.log": "CRITICAL of long ago\n"})
    checks = {"log": {"kind": "logs", "file": "bot.log"}}
    rollback_ops.settings(service.toml(checks=checks, verify=PACE))
    ended = rollback_ops("verify", "prod", "--json")
    assert ended.code == 0, ended.out
    assert "bot.log" in log_of(ended)["detail"]


def test_a_manager_without_a_journal_needs_to_be_told_where_the_log_is(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(start=False)
    rollback_ops.settings(service.toml(manager="supervisor", checks=CHECK))
    ended = rollback_ops("verify", "prod")
    assert ended.code == 64
    assert ("checks.log" in ended.err, '"supervisor"' in ended.err) == (True, True)
