"""This machine as a host."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from rollback_ops.core.errors import BadAnswer, ConnectionLost
from rollback_ops.hosts.local import LocalTransport
from rollback_ops.hosts.transport import Transport
from tests.support.sshd import free_port
from tests.support.toolbox import eventually
from tests.support.transports import alive, run


@pytest.fixture
def local() -> Transport:
    return LocalTransport()


def test_a_command_gives_its_lines_its_errors_and_its_status(local: Transport) -> None:
    assert run(local, "echo one; echo; printf two; echo oops >&2; exit 7") == (7, ["one", "", "two"], "oops\n")


def test_a_command_that_a_signal_ended_has_the_status_that_a_shell_gives_it(local: Transport) -> None:
    assert run(local, "kill -9 $$")[0] == 137


def test_bytes_that_are_not_utf8_are_replaced_and_characters_are_never_cut(local: Transport) -> None:
    assert run(local, r"printf 'caf\303'; sleep 0.05; printf '\251 \377\n'")[1] == ["café �"]


def test_lines_come_while_the_command_still_runs(local: Transport, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    local.execute(f"echo now; until [ -e {seen} ]; do sleep 0.05; done", lambda _: seen.touch(), 60)
    assert seen.exists()


def test_standard_input_is_empty(local: Transport) -> None:
    assert run(local, "cat; echo end", 2)[1] == ["end"]


def test_megabytes_of_output_and_of_errors_come_through(local: Transport) -> None:
    command = "i=0; while [ $i -lt 50 ]; do head -c 100000 /dev/zero | tr '\\0' e >&2; echo $i; i=$((i+1)); done"
    status, lines, errors = run(local, command)
    assert (status, len(lines), len(errors)) == (0, 50, 4000)


@pytest.mark.parametrize("command", ["head -c 70000 /dev/zero", "yes 0123456789012345678901234567890123456789"])
def test_a_line_or_an_output_that_is_too_long_is_a_bad_answer(local: Transport, command: str) -> None:
    with pytest.raises(BadAnswer):
        run(local, command)


def test_a_command_that_takes_too_long_gets_sighup_and_its_detached_process_goes_on(
    local: Transport, tmp_path: Path
) -> None:
    script = f"setsid sh -c 'sleep 1; touch {tmp_path}/finished' >/dev/null 2>&1 & echo $$; sleep 60"
    lines: list[str] = []
    started = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"2 s"):
        local.execute(script, lines.append, 2)
    assert time.monotonic() - started < 30
    assert eventually(lambda: not alive(int(lines[0])))
    assert eventually((tmp_path / "finished").exists)


def test_a_command_runs_in_a_session_of_its_own(local: Transport) -> None:
    fields = run(local, "cat /proc/$$/stat")[1][0].rsplit(")", 1)[1].split()
    assert int(fields[3]) != os.getsid(0)


def test_a_background_process_delays_the_answer_for_a_short_time_only(local: Transport) -> None:
    started = time.monotonic()
    status, lines, _ = run(local, "sleep 20 & echo $!; exit 3")
    assert status == 3
    assert time.monotonic() - started < 15
    os.kill(int(lines[0]), signal.SIGKILL)


def test_last_words_that_come_after_the_end_of_a_command_that_was_silent_for_long_are_heard(local: Transport) -> None:
    assert run(local, "sleep 2.2; (sleep 0.5; echo late) & exit 0")[:2] == (0, ["late"])


def test_commands_do_not_get_our_secrets() -> None:
    environment = dict(os.environ, ROLLBACK_SSH_KEY="hunter2", GITHUB_TOKEN="hunter2", KEPT="yes")
    lines = run(LocalTransport(environment=environment), "env")[1]
    assert "KEPT=yes" in lines
    assert not [line for line in lines if "hunter2" in line]


def test_dial_reaches_a_port_and_a_closed_one_is_refused(local: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = local.dial("127.0.0.1", listener.getsockname()[1], 2)
        server, _ = listener.accept()
        with server:
            server.sendall(b"hello")
            assert stream.recv(10) == b"hello"
        stream.close()
    with pytest.raises(ConnectionRefusedError):
        local.dial("127.0.0.1", free_port(), 2)
