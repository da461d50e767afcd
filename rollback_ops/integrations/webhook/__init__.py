"""Messages about a rollback, sent to a webhook. Each format is one module here and one entry in ``FORMATS``.

A message never changes the outcome of a rollback: a failure becomes a warning, which never contains the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from pydantic import SecretStr

from rollback_ops.config import Event, MessageFormat
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Cancellation, Pending, begin
from rollback_ops.integrations.webhook import delivery, generic, slack, teams
from rollback_ops.integrations.webhook.message import Notification, StartEvent

__all__ = ["FORMATS", "Notification", "Notifier", "StartEvent", "body"]

# Seconds for one message, retries included. After a signal, the runner kills the program soon.
_WITHIN = 5.0
_WITHIN_AFTER_A_SIGNAL = 1.0
# Seconds for which the message about the end waits for the one about the start, and the end of the program after that.
_IN_ORDER = 3.0
_LAST_MOMENT = 1.0


class Format(Protocol):
    """The interface of a format's module."""

    def payload(self, notification: Notification) -> dict[str, Any]:
        """Build the JSON document to send. Pure; text from people and hosts stays data, and the size is bounded."""


FORMATS: dict[MessageFormat, Format] = {"slack": slack, "teams": teams, "json": generic}


class Notifier:
    """Sends messages about one rollback to one webhook. Without a URL it sends nothing.

    The message about the end waits ``in_order`` seconds for the one about the start.
    """

    def __init__(
        self,
        url: SecretStr | None,
        redact: Redactor,
        form: MessageFormat,
        on: Iterable[Event],
        in_order: float = _IN_ORDER,
    ) -> None:
        self._url = url
        self._redact = redact
        self._format = form
        self._on = frozenset(on) if url else frozenset()
        self._in_order = in_order
        self._start: Pending[str, str] | None = None

    def started(self, start: StartEvent, leaves: Callable[[], str] = str) -> None:
        """Send the message that hosts are being changed, on a thread of its own. Does not wait for it.

        ``leaves`` returns which commits leave the hosts; it is asked on that thread.
        """
        if "start" in self._on and not self._start:
            self._start = begin(["start"], lambda _: self._send(start.model_copy(update={"leaves": leaves()}), _WITHIN))

    def ended(self, record: Record) -> tuple[str, ...]:
        """Send the message about the end within a few seconds. Returns a warning for each failure. Never raises."""
        event = _event(record)
        problem, signalled = "", record.exit_code > 128
        if not signalled:
            # A message about the start that comes last would look like another rollback.
            self._problem_of_start(self._in_order)
        if event in self._on:
            problem = self._send(record, _WITHIN_AFTER_A_SIGNAL if signalled else _WITHIN)
        problems = {"start": self._problem_of_start(_LAST_MOMENT), "end": problem}
        return tuple(f"the message about the {which} was not sent: {why}" for which, why in problems.items() if why)

    def _problem_of_start(self, within: float) -> str:
        """Return why the first message failed; empty when it did not, or when it is still being sent.

        One that is about to be sent must not be lost because the program ends.
        """
        if not self._start:
            return ""
        found = self._start.results(within, Cancellation())["start"]
        return found if isinstance(found, str) else ""

    def _send(self, notification: Notification, within: float) -> str:
        url = self._url.get_secret_value().strip() if self._url else ""
        return delivery.send(url, lambda: body(self._format, notification, self._redact), within)


def body(form: MessageFormat, notification: Notification, redact: Redactor) -> bytes:
    """Render a message as it is sent, without secrets."""
    document = redact.document(notification.model_dump(mode="json", by_alias=True))
    return delivery.encoded(FORMATS[form].payload(type(notification).model_validate(document)))


def _event(record: Record) -> Event | None:
    """Return the event that the record stands for. None for dry runs, and where a guard found the release healthy."""
    if record.dry_run or record.outcome == "nothing_to_do":
        return None
    return "success" if record.outcome == "succeeded" else "failure"
