"""Bad input from people, workflows and crashes: it is refused, or kept as plain text."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.untouched import refusal, untouched

Deploy = Callable[..., Deployed]
ROLLBACK = ("rollback", "prod", "--json")
WHY = ("--reason", "logins fail since the deploy")
HOSTILE = (
    "..",
    "backup_20240101_120000/../backup_20240102_120000",
    "$(touch /tmp/canary)",
    "'; touch /tmp/canary; `touch /tmp/canary`",
    "-rf",
    "backup_*",
    "one\n::error::two\x1b[31m",
    "x" * 200,
    "ünïcødé-\U0001f984",
)


@pytest.fixture
def service(rollback_ops: RollbackOps, deploy: Deploy) -> Deployed:
    deployed = deploy(owner="deploy")
    rollback_ops.settings(deployed.toml(verify={"min_healthy_time": "0s"}))
    return deployed


def is_one_printable_line(text: str) -> bool:
    return text.isprintable() and len(text) < 400


# --- names -------------------------------------------------------------------------------------------------


def test_a_hostile_name_is_none_of_the_releases(rollback_ops: RollbackOps, service: Deployed) -> None:
    with untouched(service):
        for name in HOSTILE:
            detail = refusal(rollback_ops(*ROLLBACK, *WHY, f"--backup={name}"))
            assert all(map(is_one_printable_line, detail.split("\n"))), name
            assert "`list`" in detail
    assert service.host.run("ls /tmp/canary", check=False).returncode != 0


def test_a_hostile_name_is_not_what_is_live(rollback_ops: RollbackOps, service: Deployed) -> None:
    with untouched(service):
        for name in HOSTILE[2::2]:
            ended = rollback_ops(*ROLLBACK, *WHY, f"--if-current={name}")
            assert (ended.code, ended.document["outcome"]) == (0, "nothing_to_do"), name
            (host,) = ended.document["hosts"]
            assert is_one_printable_line(host["detail"]), name
            assert service.live() in host["detail"]
    assert service.host.run("ls /tmp/canary", check=False).returncode != 0


def test_a_hostile_name_is_none_of_the_hosts_and_nothing_is_contacted(
    rollback_ops: RollbackOps, service: Deployed
) -> None:
    for name in ("-oProxyCommand=touch canary", "$(touch canary)", "a\n::error::b", "\x1b[31m", "deploy@elsewhere"):
        ended = rollback_ops(*ROLLBACK, *WHY, f"--host={name}", ROLLBACK_KNOWN_HOSTS="")
        assert (ended.code, ended.out) == (64, ""), name
        assert all(map(is_one_printable_line, ended.err.splitlines())), name
        assert "prod" in ended.err
        assert service.host.address in ended.err
    assert not (rollback_ops.directory / "canary").exists()


def test_the_live_release_is_not_gone_back_to(rollback_ops: RollbackOps, service: Deployed) -> None:
    with untouched(service):
        ended = rollback_ops(*ROLLBACK, *WHY, "--backup", service.live())
    assert service.live() in refusal(ended)


def test_a_name_that_is_nearly_right_gets_the_nearest_right_one(rollback_ops: RollbackOps, service: Deployed) -> None:
    near = {
        "backup_20240101_12000": "backup_20240101_120000",
        "20240102_120000": "backup_20240102_120000",
        "backup_20240101_120000/": "backup_20240101_120000",
        "BACKUP_20240101_120000": "backup_20240101_120000",
    }
    with untouched(service):
        details = {typed: refusal(rollback_ops(*ROLLBACK, *WHY, "--backup", typed)) for typed in near}
        unlike = refusal(rollback_ops(*ROLLBACK, *WHY, "--backup", "v7"))
    for typed, meant in near.items():
        assert f" {meant}?" in details[typed], typed
    assert "?" not in unlike


# --- reasons -----------------------------------------------------------------------------------------------


def test_a_reason_is_kept_to_the_letter(rollback_ops: RollbackOps, service: Deployed) -> None:
    reason = (
        "it's \"$(touch /tmp/canary)\" `touch /tmp/canary` ${HOME} \\n \\\\ %s %n ; rm -rf / && 'x' | <b> {env} "
        "\u2026 \U0001f984\U0001f469\u200d\U0001f680 ::error::no #!"
    )
    ended = rollback_ops(*ROLLBACK, "--reason", reason)
    assert (ended.code, ended.document["reason"]) == (0, reason), ended.err
    lines = [json.loads(line) for line in service.host.read(f"{service.root}/.rollback/journal.jsonl").splitlines()]
    assert lines[0]["event"] == "intent"
    assert (lines[0]["reason"], lines[-1]["reason"]) == (reason, reason)
    (told,) = rollback_ops("history", "list", "--json").document["records"]
    assert told["reason"] == reason
    assert service.host.run("ls /tmp/canary", check=False).returncode != 0


# --- what a crash left ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(b'{"schema_version":1,"id":"2024', id="half"),
        pytest.param(b"\0" * 70_000, id="zeros", marks=pytest.mark.long),
        pytest.param(b"\x89PNG\r\n\x1a\n\xff\xfe", id="binary", marks=pytest.mark.long),
    ],
)
def test_a_damaged_journal_is_written_on_and_read_around(
    rollback_ops: RollbackOps, service: Deployed, left: bytes
) -> None:
    assert rollback_ops(*ROLLBACK, *WHY).code == 0
    journal = f"{service.root}/.rollback/journal.jsonl"
    service.host.run(f"cat >>{journal}", stdin=left)

    before = rollback_ops("history", "list", "--json")
    ended = rollback_ops(*ROLLBACK, "--reason", "the second one")
    after = rollback_ops("history", "list", "--json")

    assert (before.code, ended.code, after.code) == (0, 0, 0)
    assert [record["reason"] for record in before.document["records"]] == [WHY[1]]
    assert [record["reason"] for record in after.document["records"]] == ["the second one", WHY[1]]
    if left.strip(b"\0"):
        assert "entries" in after.err


@pytest.mark.parametrize(
    "left", [b"\0" * 500, b"run\t" + b"9\t" * 400 + b"\n", b"a\t\tb'\"$(id)\n" * 9], ids=["zeros", "digits", "shell"]
)
def test_a_lease_and_a_transaction_that_a_crash_damaged_stop_no_rollback(
    rollback_ops: RollbackOps, service: Deployed, left: bytes
) -> None:
    write = f"cat >left; for file in lease open; do install -o deploy left {service.state}/$file; done; rm left"
    service.host.run(f"cd {service.root}; install -d -o deploy .rollback {service.state}; {write}", stdin=left)
    ended = rollback_ops(*ROLLBACK, *WHY)
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    assert service.is_running()
