"""Runs the agent's operations on one host, in one session if the transport has sessions."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from rollback_ops.core.errors import ConnectionLost
from rollback_ops.hosts.agent import bundle
from rollback_ops.hosts.transport import Conversation, Transport

_CONVERSE_WITHIN = 10.0
_NOT_STARTED = (
    "The agent did not start: a start-up file of the login shell (~/.bashrc) may wait, or read all of the "
    "standard input."
)


class AgentSession:
    """The agent ``text`` on one host. An operation that starts while another runs gets its own session."""

    def __init__(self, transport: Transport, text: str) -> None:
        self._transport = transport
        self._text = text
        self._turn = threading.Lock()
        self._conversation: Conversation | None = None
        self._heard = False
        self._deaf = False
        # Distinguishes our requests, and the end of an answer, from all other text there.
        self._token = secrets.token_hex(8)

    def run(self, words: tuple[str, ...], on_line: Callable[[str], None], timeout: float) -> str:
        """Run one operation and hand over its lines. Return what came on standard error. See ``Transport.execute``."""
        if not self._deaf and self._turn.acquire(blocking=False):
            try:
                if conversation := self._conversing():
                    errors = self._ask(conversation, words, on_line, timeout)
                    if self._heard:
                        return errors
                    # It ended without having begun this operation, or any: a start-up file of the login shell may have
                    # read the request. A command of its own has no standard input that could be read away.
                    self._deaf = True
            finally:
                self._turn.release()
        return self._transport.execute(bundle.command(self._text, *words), on_line, timeout).stderr

    def _conversing(self) -> Conversation | None:
        if self._conversation is None or not self._conversation.open:
            begin = bundle.command(self._text, "converse", self._token)
            self._conversation = self._transport.converse(begin, _CONVERSE_WITHIN)
        return self._conversation

    def _ask(
        self, conversation: Conversation, words: tuple[str, ...], on_line: Callable[[str], None], timeout: float
    ) -> str:
        def take(line: str) -> bool:
            if line.startswith(f"over\t{self._token}\t"):
                return True
            self._heard = self._heard or line.startswith(bundle.HEADING)
            on_line(line)
            return False

        try:
            return conversation.ask(bundle.request(self._token, *words), take, timeout)
        except BaseException as error:
            conversation.close()
            self._conversation = None
            if isinstance(error, ConnectionLost) and not self._heard:
                raise ConnectionLost(error.message, error.hint or _NOT_STARTED) from None
            raise
