"""A session with a host whose login shell reads the requests away, or never starts the agent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollback_ops.core.errors import ConnectionLost
from rollback_ops.core.ports import Stream
from rollback_ops.hosts.agent.session import AgentSession
from rollback_ops.hosts.transport import Completed


class Ending:
    """A command that ended without an answer, as the agent does when half of a request is missing."""

    open = False

    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        return ""

    def close(self) -> None: ...


class Silent(Ending):
    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        raise ConnectionLost("here: the command did not end within 10 s")


class Answering(Silent):
    """The first request is answered; then nothing comes any more."""

    asked = False

    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        if self.asked:
            return super().ask(request, on_line, timeout)
        self.asked = True
        for line in ("rollback-ops\t1\tsurvey", "end\t0", f"over\t{request.split()[-1].decode()}\t0"):
            on_line(line)
        return ""


class Host:
    name = "here"

    def __init__(self, conversation: Ending) -> None:
        self.conversation = conversation
        self.executed: list[str] = []

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        self.executed.append(command)
        on_line("answered")
        return Completed(0, "words")

    def converse(self, command: str, timeout: float) -> Ending:
        return self.conversation

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        raise OSError

    def close(self) -> None: ...


def test_a_request_that_was_read_away_is_run_as_a_command_of_its_own_and_so_are_the_next() -> None:
    host, lines = Host(Ending()), list[str]()
    session = AgentSession(host, ":")
    assert session.run(("survey", "no"), lines.append, 10) == "words"
    assert session.run(("ask", ""), lines.append, 10) == "words"
    assert lines == ["answered", "answered"]
    assert len(host.executed) == 2


def test_a_login_that_never_starts_the_agent_is_told_with_what_may_hold_it_up() -> None:
    with pytest.raises(ConnectionLost) as caught:
        AgentSession(Host(Silent()), ":").run(("survey", "no"), print, 10)
    assert "~/.bashrc" in caught.value.hint


def test_an_agent_that_has_answered_is_not_said_to_have_never_started() -> None:
    host = Host(Answering())
    session = AgentSession(host, ":")
    session.run(("survey", "no"), print, 10)
    with pytest.raises(ConnectionLost) as caught:
        session.run(("switch", "run"), print, 10)
    assert caught.value.hint == ""
    assert host.executed == []
