"""The second transaction of a run: it changes only what is still the run's own, as the host sees it under its lock."""

from __future__ import annotations

import fcntl
import shutil
import sys
import termios
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rollback_ops.core.model import SwitchResult
from tests.support.agent_sandbox import COMMANDS, RUN, Sandbox
from tests.support.lab.ground import wait_until

OTHER = "20240101T000000Z-00000002"


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    """A service that a run has switched from r3 to r2."""
    sandbox = Sandbox(tmp_path, shell)
    assert sandbox.switch()[0].outcome == "switched"
    return sandbox


def follow(sandbox: Sandbox, target: str = "r3") -> SwitchResult:
    """The way back, or on, as it was planned while r2 was live."""
    return sandbox.switch(target, run=f"{RUN}.2", source=str(sandbox.releases / "r2"))[0]


def lease(sandbox: Sandbox) -> list[str]:
    return (sandbox.state / "lease").read_text().split("\t")


def expired(sandbox: Sandbox) -> None:
    fields = lease(sandbox)
    (sandbox.state / "lease").write_text("\t".join([*fields[:2], "1", *fields[3:]]))


def of_an_earlier_boot(sandbox: Sandbox) -> None:
    fields = lease(sandbox)
    (sandbox.state / "lease").write_text("\t".join([fields[0], "another-boot", *fields[2:]]))


def given_up(sandbox: Sandbox) -> None:
    (sandbox.state / "lease").unlink()


def taken(sandbox: Sandbox) -> None:
    (sandbox.state / "lease").write_text("\t".join([OTHER, *lease(sandbox)[1:]]))


def taken_and_expired(sandbox: Sandbox) -> None:
    taken(sandbox)
    expired(sandbox)


def deployed(sandbox: Sandbox) -> None:
    sandbox.current.unlink()
    sandbox.current.symlink_to(sandbox.releases / "r1")


def rolled_back(sandbox: Sandbox) -> None:
    """Another run takes the host over, goes to r1, and ends."""
    taken = sandbox.switch("r1", run=OTHER, source=str(sandbox.releases / "r2"), break_lock=True)[0]
    assert taken.outcome == "switched"
    sandbox.host.record(OTHER, {}, '{"id":"the other"}')


def rolled_back_to_the_same(sandbox: Sandbox) -> None:
    """Another run takes the host over, starts the same release again, and ends."""
    assert sandbox.switch("r2", run=OTHER, source=str(sandbox.releases / "r2"), break_lock=True)[0].outcome
    sandbox.host.record(OTHER, {}, '{"id":"the other"}')


@pytest.mark.parametrize("happens", [None, expired, of_an_earlier_boot])
def test_what_nobody_took_is_still_the_run_s_own(sandbox: Sandbox, happens: Callable[[Sandbox], None] | None) -> None:
    if happens:
        happens(sandbox)
    assert (follow(sandbox).outcome, sandbox.running()) == ("switched", "r3")


@pytest.mark.parametrize(
    ("happens", "live"),
    [
        (given_up, "r2"),
        (taken, "r2"),
        (taken_and_expired, "r2"),
        (deployed, "r1"),
        (rolled_back, "r1"),
        (rolled_back_to_the_same, "r2"),
    ],
)
def test_what_somebody_else_took_is_left_alone(sandbox: Sandbox, happens: Callable[[Sandbox], None], live: str) -> None:
    happens(sandbox)
    runs, lines = sandbox.running(), sandbox.host.journal()
    result = follow(sandbox)
    assert (result.outcome, result.live) == ("superseded", live)
    assert result.reason
    assert (sandbox.current.resolve().name, sandbox.running()) == (live, runs)
    assert sandbox.host.journal() == lines, "nothing was begun"
    assert list(sandbox.root.rglob("*.rollback-*")) == []


def test_a_lease_is_new_however_long_the_manager_took_to_answer(shell: str, tmp_path: Path) -> None:
    """It is at most a second older than the answer, although the end of the transaction is written meanwhile."""
    status = f'{COMMANDS["status"]} && sleep 1.5 && cat /proc/uptime >"$ROLLBACK_ROOT/answered"'
    sandbox = Sandbox(tmp_path, shell, {"status": status})
    assert sandbox.switch()[0].outcome == "switched"
    answered = float((sandbox.root / "answered").read_text().split()[0])
    assert int(lease(sandbox)[2]) / 100 >= answered + 9


def test_a_first_transaction_needs_no_lease_of_its_own(sandbox: Sandbox) -> None:
    given_up(sandbox)
    result, _ = sandbox.switch("r1", run=OTHER, source=str(sandbox.releases / "r2"))
    assert (result.outcome, sandbox.running()) == ("switched", "r1")


def test_what_is_deployed_while_the_service_stops_runs_at_the_end(tmp_path: Path) -> None:
    move = 'ln -sfn "$ROLLBACK_ROOT/releases/r1" "$ROLLBACK_ROOT/current"'
    sandbox = Sandbox(tmp_path, "dash", {"stop": f'rm "$ROLLBACK_ROOT/running"; {move}'})
    result, _ = sandbox.switch("r2")
    assert (result.outcome, result.live) == ("superseded", "r1")
    assert (sandbox.current.resolve().name, sandbox.running()) == ("r1", "r1")


def test_a_record_of_the_run_leaves_a_worker_that_is_at_work_its_lease(shell: str, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    stop = f"{COMMANDS['stop']}; until [ -e {go_on} ]; do sleep 0.05; done"
    sandbox = Sandbox(tmp_path, shell, {"stop": stop})
    with ThreadPoolExecutor() as pool:
        switching = pool.submit(sandbox.switch)
        try:
            wait_until(lambda: not sandbox.running(), 60, "the stop")
            sandbox.host.record(RUN, {}, '{"id":"cancelled"}')
        finally:
            go_on.touch()
        result, _ = switching.result()
    assert (result.outcome, result.live, sandbox.running()) == ("switched", "r2", "r2")
    assert {"id": "cancelled"} in sandbox.journal()


def test_a_worker_that_a_busy_host_starts_late_is_waited_for(shell: str, tmp_path: Path) -> None:
    sandbox, go_on = Sandbox(tmp_path, shell), tmp_path / "go-on"
    slow = sandbox.tools / "setsid"
    slow.write_text(f'#!/bin/sh\nuntil [ -e {go_on} ]; do sleep 0.05; done\nexec {shutil.which("setsid")} "$@"\n')
    slow.chmod(0o755)
    bell = sandbox.state / "runs" / RUN / "bell"
    with ThreadPoolExecutor() as pool:
        switching = pool.submit(sandbox.switch)
        try:
            wait_until(bell.is_fifo, 60, "the one who follows")
            # It looks for the worker each time that it hears the bell, which otherwise rings every second.
            with open(bell, "r+b", buffering=0) as ringing:
                ringing.write(b"\n" * 10)
                wait_until(lambda: not _unread(ringing.fileno()), 60, "ten looks for the worker")
        finally:
            go_on.touch()
        result, _ = switching.result()
    assert (result.outcome, result.live, sandbox.running()) == ("switched", "r2", "r2")


def test_the_last_words_of_a_worker_that_ends_while_it_is_looked_for_are_read(tmp_path: Path) -> None:
    go_on, run = tmp_path / "go-on", f"runs/{RUN}"
    sandbox = Sandbox(tmp_path, "dash", {"stop": f"{COMMANDS['stop']}; until [ -e {go_on} ]; do sleep 0.05; done"})
    bell, looking = sandbox.state / run / "bell", sandbox.tools / "flock"
    # A follower that checks whether the worker is alive lets it go on, and gets its lock only when it has ended.
    ends = f'touch {go_on}; until [ -e {sandbox.state / run / "done"} ]; do sleep 0.05; done; set -- -w 60 "$@"'
    looking.write_text(f'#!/bin/sh\ncase "$*" in *"/alive true") {ends} ;; esac\nexec {shutil.which("flock")} "$@"\n')
    looking.chmod(0o755)
    with ThreadPoolExecutor() as pool:
        switching = pool.submit(sandbox.switch)
        try:
            wait_until(lambda: bell.is_fifo() and not sandbox.running(), 60, "the stop")
            with open(bell, "r+b", buffering=0) as ringing:
                ringing.write(b"\n" * 6)
                wait_until(go_on.exists, 60, "a look for the worker")
        finally:
            go_on.touch()
        result, _ = switching.result()
    assert (result.outcome, result.live, sandbox.running()) == ("switched", "r2", "r2")


def _unread(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
