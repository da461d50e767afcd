"""Signals, as a person and a cancelled workflow send them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.scene import FIRST, SECOND, THIRD, journal, pid, quick, released
from tests.support.waiting import (
    Deploy,
    Running,
    begin,
    begin_and_reach,
    go_on,
    hear,
    history,
    is_open,
    lease,
    lingering,
    wait_for_end,
)

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
# Seconds. A command that does not end by itself hangs; limits.total would end it only after 60 s.
HANGS = 40


@pytest.fixture
def silent_host(host: LabHost) -> Iterator[LabHost]:
    """The shared host, for a while behind a line on which no packet comes through."""
    host.cut_network()
    yield host
    host.restore_network()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_was_stopped_ends_the_command_at_once_with_nothing_changed(
    rollback_ops: RollbackOps, deploy: Deploy, silent_host: LabHost, tmp_path: Path, number: signal.Signals
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service, limits={"connect": "30s"}))
    before = pid(service)

    running = begin(rollback_ops, "--record", str(tmp_path / "record.json"))
    hear(running, "survey")
    running.signal(number)
    ended = running.end(within=HANGS)

    assert ended.code == CODES[number], ended.err
    assert (ended.document["outcome"], ended.document["exit_code"]) == ("cancelled", CODES[number])
    assert [told["outcome"] for told in ended.document["hosts"]] == ["cancelled"]
    assert json.loads((tmp_path / "record.json").read_text()) == ended.document
    assert (service.live(), pid(service)) == (THIRD, before)


def is_dialing(running: Running, host: LabHost) -> bool:
    """Whether the command is waiting for the host to accept a connection."""
    place = "".join(f"{int(part):02X}" for part in reversed(host.address.split("."))) + ":0016"
    connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    dialing = {f"socket:[{found[9]}]" for found in connections if found[2:4] == [place, "02"]}
    with contextlib.suppress(FileNotFoundError):
        return any(os.readlink(file) in dialing for file in Path(f"/proc/{running.process.pid}/fd").iterdir())
    return False


@pytest.mark.parametrize("command", [("list", "prod"), ("verify", "prod"), ("history", "list")])
def test_other_commands_end_with_a_signal_s_code_too(
    rollback_ops: RollbackOps, deploy: Deploy, silent_host: LabHost, command: tuple[str, ...]
) -> None:
    rollback_ops.settings(quick(deploy(), limits={"connect": "30s"}))
    running = Running(rollback_ops.start(*command))
    wait_until(lambda: is_dialing(running, silent_host), 60, "a connection")
    running.signal(signal.SIGINT)
    assert running.end(within=HANGS).code == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_host_has_begun_when_a_signal_comes_is_finished_and_told(
    rollback_ops: RollbackOps, deploy: Deploy, tmp_path: Path, number: signal.Signals
) -> None:
    service = deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    running = begin(rollback_ops, "--record", str(tmp_path / "record.json"))
    wait_until(lambda: is_open(service), 60, "the beginning of the transaction")
    running.signal(number)
    go_on(service)
    ended = running.end(within=HANGS)

    assert ended.code == CODES[number], ended.err
    assert (ended.document["outcome"], ended.document["exit_code"]) == ("cancelled", CODES[number])
    (told,) = ended.document["hosts"]
    assert (told["outcome"], told["checks"]) == ("succeeded", [])
    assert (told["from"]["release"], told["to"]["release"]) == (THIRD, SECOND)
    assert [step["name"] for step in told["steps"]] == ["find", "stop", "switch", "links", "start"]
    assert json.loads((tmp_path / "record.json").read_text()) == ended.document
    assert journal(service)[-1] == ended.document
    wait_for_end(service)
    assert service.live() == released(service) == SECOND
    assert lease(service) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_host_that_takes_longer_than_the_runner_has_patience_goes_on_alone(
    rollback_ops: RollbackOps, deploy: Deploy, number: signal.Signals
) -> None:
    service = deploy(owner="deploy", options=lingering("stop-post"))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, "stop-post")
    running.signal(number)
    # The service is still being stopped.
    ended = running.end(within=HANGS)

    assert ended.code == CODES[number], ended.err
    assert ended.document["outcome"] == "cancelled"
    assert [told["outcome"] for told in ended.document["hosts"]] == ["unknown"]
    go_on(service)
    wait_for_end(service)
    assert service.live() == released(service) == SECOND
    assert [record["outcome"] for record in history(rollback_ops)] == ["cancelled"]


def test_a_signal_during_the_verification_ends_it_and_lets_the_host_go(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={FIRST: "healthy", SECOND: "unhealthy", THIRD: "healthy"})
    rollback_ops.settings(service.toml(verify={"healthy_deadline": "30s"}))

    running = begin(rollback_ops)
    hear(running, "verify")
    running.signal(signal.SIGINT)
    ended = running.end(within=HANGS)

    assert ended.code == 130, ended.err
    assert ended.document["outcome"] == "cancelled"
    assert [told["outcome"] for told in ended.document["hosts"]] == ["succeeded"]
    assert lease(service) == ""
    assert service.live() == SECOND
    listed = rollback_ops("list", "prod", "--json").document["hosts"][0]
    assert {release["name"]: release["mark"] for release in listed["releases"]}[SECOND] == ""


def test_a_second_signal_neither_hurries_nor_breaks_what_the_first_one_asked_for(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, "stop")
    running.signal(signal.SIGINT)
    go_on(service)

    def has_ended() -> bool:
        running.signal(signal.SIGINT)
        return running.process.poll() is not None

    wait_until(has_ended, HANGS, "the end of the command")
    ended = running.end(within=60)

    assert ended.code == 130, ended.err
    assert ended.document["outcome"] == "cancelled"
    assert [told["outcome"] for told in ended.document["hosts"]] == ["succeeded"]
    wait_for_end(service)
    assert service.live() == released(service) == SECOND
