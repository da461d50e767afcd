"""Deliver a message to a webhook. The URL is a secret: no reason, exception or log line contains it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.tasks import Cancellation, begin

if TYPE_CHECKING:
    from requests import Response

_CONNECT_WITHIN = 2.0
_ANSWER_WITHIN = 3.0
# Seconds before each retry, unless the receiver asks for another pause. There are at most three retries.
_PAUSES = (0.3, 0.7, 1.5)
_ANSWER_BYTES = 200
_TOO_MANY = 429


class _Attempt(NamedTuple):
    """``problem``: why it failed; empty when it did not. ``retry_after``: the receiver's wish, in seconds."""

    problem: str = ""
    retry: bool = False
    retry_after: float | None = None


def encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def send(url: str, body: Callable[[], bytes], within: float, sleep: Callable[[float], object] = time.sleep) -> str:
    """Deliver what ``body`` returns within so many seconds. Returns why it failed, or nothing. Never raises.

    ``sleep`` makes the pauses between attempts.
    """
    problem = _problem_with(url)
    if problem:
        return problem
    deadline = time.monotonic() + within
    # Name resolution, and an answer that comes byte by byte, have no timeout of their own: a thread has.
    begun = begin(["message"], lambda _: _deliver(url, body, deadline, sleep))
    found = begun.results(within, Cancellation())["message"]
    return "timed out" if isinstance(found, RollbackOpsError) else found


def _problem_with(url: str) -> str:
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" and bool(parts.hostname)
        allowed = secure or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    except ValueError:
        return "ROLLBACK_WEBHOOK_URL is not a URL"
    return "" if allowed else "ROLLBACK_WEBHOOK_URL should be an https URL"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _deliver(url: str, body: Callable[[], bytes], deadline: float, sleep: Callable[[float], object]) -> str:
    # An exception here may contain the URL in its text, and must not change the outcome of a rollback.
    try:
        message = body()
        for pause in (*_PAUSES, None):
            attempt = _attempt(url, message, deadline)
            wait = pause if attempt.retry_after is None else attempt.retry_after
            if not attempt.retry or pause is None or wait is None or time.monotonic() + wait >= deadline:
                break
            sleep(wait)
    except Exception as error:
        return f"failed ({type(error).__name__})"
    return attempt.problem


def _attempt(url: str, body: bytes, deadline: float) -> _Attempt:
    import logging

    import requests

    # urllib3 logs the URL of answers that it cannot parse.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    left = max(0.1, deadline - time.monotonic())
    with requests.Session() as session:
        # A proxy must not see messages to this machine.
        session.trust_env = urlsplit(url).scheme == "https"
        try:
            with session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json; charset=utf-8"},
                timeout=(min(_CONNECT_WITHIN, left), min(_ANSWER_WITHIN, left)),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return _judged(answer)
        except (requests.RequestException, OSError) as error:
            return _explained(error)


def _judged(answer: Response) -> _Attempt:
    status = answer.status_code
    if 300 <= status < 400:
        return _Attempt(f"the receiver redirects to another address (status {status})")
    if status == _TOO_MANY or status >= 500:
        return _Attempt(f"status {status}", retry=True, retry_after=_seconds(answer.headers.get("Retry-After", "")))
    if status >= 400:
        return _Attempt(f"status {status}")
    # Slack answers "ok" as text/html, so the type proves nothing. Log-in pages and proxies answer with a page.
    start = next(answer.iter_content(_ANSWER_BYTES), b"")
    return _Attempt("the receiver answered with a web page") if start.lstrip()[:1] == b"<" else _Attempt()


def _seconds(retry_after: str) -> float | None:
    """Parse a ``Retry-After`` header: seconds, or a date. None when it is neither."""
    from email.utils import parsedate_to_datetime

    try:
        if retry_after.strip().isdecimal():
            return float(retry_after)
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _explained(error: Exception) -> _Attempt:
    """Explain an error by its type. Its own text is not shown: it contains the URL."""
    import requests
    from requests import exceptions
    from urllib3.exceptions import NameResolutionError, NewConnectionError

    cause = getattr(error.args[0], "reason", None) if error.args else None
    kinds: tuple[tuple[bool, str, bool], ...] = (
        # The message may have arrived at a slow receiver: it is not sent twice.
        (isinstance(error, exceptions.ReadTimeout), "timed out", False),
        (isinstance(error, requests.Timeout), "timed out", True),
        (
            isinstance(error, exceptions.SSLError),
            "the receiver's certificate is not trusted, or there is no TLS",
            False,
        ),
        (isinstance(error, exceptions.ProxyError), "the proxy rejected the connection", True),
        (isinstance(cause, NameResolutionError), "the name of the receiver's host does not resolve", True),
        (isinstance(cause, NewConnectionError), "the connection was refused", True),
        (isinstance(error, requests.ConnectionError), "the connection was cut", True),
    )
    otherwise = (f"failed ({type(error).__name__})", False)
    return _Attempt(*next(((words, again) for applies, words, again in kinds if applies), otherwise))
