"""Messages about a rollback to a webhook. A format is one module here and one line in the table.

A message never changes how a rollback ends: what could not be sent is a warning in words, without the address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr

from rollback_ops.config import Event, MessageFormat
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import masked
from rollback_ops.core.tasks import Cancellation, Pending, begin
from rollback_ops.integrations.webhook import generic, sending, slack, teams
from rollback_ops.integrations.webhook.message import Notice, StartNotice

__all__ = ["FORMATS", "Notice", "Notifier", "StartNotice", "body"]

T = TypeVar("T", StartNotice, Record)

# Seconds for one message, with all that is tried again. After a signal the runner's patience ends sooner.
_WITHIN = 5.0
_WITHIN_AFTER_A_SIGNAL = 1.0
# A part of the address that is shorter is no secret.
_SHORTEST_PATH = 8


class Format(Protocol):
    """What a format's module offers."""

    def payload(self, news: Notice) -> dict[str, Any]:
        """The JSON document to send. Pure; what people and hosts wrote is data in it, and its size is bounded."""


FORMATS: dict[MessageFormat, Format] = {"slack": slack, "teams": teams, "json": generic}


class Notifier:
    """Tells one webhook of one rollback. Without an address it tells nobody."""

    def __init__(self, url: SecretStr | None, form: MessageFormat, on: Iterable[Event]) -> None:
        self._url = url
        self._format = form
        self._on = frozenset(on) if url else frozenset()
        self._start: Pending[str, str] | None = None

    def started(self, start: StartNotice) -> None:
        """Say that hosts are being changed, on a thread of its own: nobody waits for it."""
        if "start" in self._on and not self._start:
            self._start = begin(["start"], lambda _: self._send(start, _WITHIN))

    def ended(self, record: Record) -> tuple[str, ...]:
        """Say how it ended; returns within a few seconds, with what could not be told. Never raises."""
        event = _event(record)
        problems = {"start": self._left_of_start()}
        if event in self._on:
            within = _WITHIN_AFTER_A_SIGNAL if record.exit_code > 128 else _WITHIN
            problems["end"] = self._send(record, within)
        return tuple(f"the message about the {which} was not sent: {why}" for which, why in problems.items() if why)

    def _left_of_start(self) -> str:
        """What became of the first message. One that is still under way is left to itself."""
        if not self._start:
            return ""
        found = self._start.results(0, Cancellation())["start"]
        return found if isinstance(found, str) else ""

    def _send(self, news: Notice, within: float) -> str:
        url = self._url.get_secret_value().strip() if self._url else ""
        return sending.send(url, lambda: body(self._format, news, url), within)


def body(form: MessageFormat, news: Notice, url: str) -> bytes:
    """A message as it is sent, with every secret in it masked, the address that it goes to too."""
    return sending.encoded(FORMATS[form].payload(_masked(news, url)))


def _event(record: Record) -> Event | None:
    """Nothing was done, nothing is told: that holds for dry runs, and for a guard that finds all well."""
    if record.dry_run or record.outcome == "nothing_to_do":
        return None
    return "success" if record.outcome == "succeeded" else "failure"


def _masked(news: Notice, url: str) -> Notice:
    path = url.partition("://")[2].partition("/")[2]
    secrets = [secret for secret in (url, path) if len(secret) >= _SHORTEST_PATH]
    return type(news).model_validate(masked(news.model_dump(mode="json", by_alias=True), secrets))
