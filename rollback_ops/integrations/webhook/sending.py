"""The one place where a message leaves. Its address is a secret: no reason, exception or log line holds it."""

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
# Seconds before the next attempt, where the receiver does not say; there are no more attempts than these and one.
_PAUSES = (0.3, 0.7, 1.5)
_ENOUGH_OF_AN_ANSWER = 200
_TOO_MANY = 429


class _Attempt(NamedTuple):
    """``problem``: why it did not arrive, or nothing. ``again_in``: seconds, where the receiver said so."""

    problem: str = ""
    again: bool = False
    again_in: float | None = None


def encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def send(url: str, body: Callable[[], bytes], within: float) -> str:
    """Deliver what ``body`` gives. Why it could not be done ``within`` seconds, or nothing. Never raises."""
    wrong = _objection(url)
    if wrong:
        return wrong
    deadline = time.monotonic() + within
    # Looking a name up, and an answer that comes byte by byte, heed no limit of their own.
    begun = begin(["message"], lambda _: _deliver(url, body, deadline))
    found = begun.results(within, Cancellation())["message"]
    return "timed out" if isinstance(found, RollbackOpsError) else found


def _objection(url: str) -> str:
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" and bool(parts.hostname)
        allowed = secure or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    except ValueError:
        return "ROLLBACK_WEBHOOK_URL is not an address"
    return "" if allowed else "ROLLBACK_WEBHOOK_URL should be an https address"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _deliver(url: str, body: Callable[[], bytes], deadline: float) -> str:
    # Whatever goes wrong here may have the address in its words, and must not change how a rollback ends.
    try:
        message = body()
        for pause in (*_PAUSES, None):
            attempt = _attempt(url, message, deadline)
            wait = pause if attempt.again_in is None else attempt.again_in
            if not attempt.again or pause is None or wait is None or time.monotonic() + wait >= deadline:
                break
            time.sleep(wait)
    except Exception as error:
        return f"failed ({type(error).__name__})"
    return attempt.problem


def _attempt(url: str, body: bytes, deadline: float) -> _Attempt:
    import logging

    import requests

    # It logs addresses of answers that it cannot read.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    left = max(0.1, deadline - time.monotonic())
    with requests.Session() as session:
        # A proxy must not get to see what is meant for this machine.
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
        return _Attempt(f"it redirects elsewhere (status {status})")
    if status == _TOO_MANY or status >= 500:
        return _Attempt(f"status {status}", again=True, again_in=_seconds(answer.headers.get("Retry-After", "")))
    if status >= 400:
        return _Attempt(f"status {status}")
    # Slack says "ok" and calls it HTML. A page is what a log-in or a proxy answers with.
    said = next(answer.iter_content(_ENOUGH_OF_AN_ANSWER), b"")
    return _Attempt("it answers with a web page") if said.lstrip()[:1] == b"<" else _Attempt()


def _seconds(retry_after: str) -> float | None:
    """Seconds, or a date."""
    from email.utils import parsedate_to_datetime

    try:
        if retry_after.strip().isdecimal():
            return float(retry_after)
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _explained(error: Exception) -> _Attempt:
    """The kind of an error in words: what it says itself has the address in it."""
    import requests
    from requests import exceptions
    from urllib3.exceptions import NameResolutionError, NewConnectionError

    cause = getattr(error.args[0], "reason", None) if error.args else None
    kinds: tuple[tuple[bool, str, bool], ...] = (
        # It may have arrived: nothing is sent twice to one that is only slow.
        (isinstance(error, exceptions.ReadTimeout), "timed out", False),
        (isinstance(error, requests.Timeout), "timed out", True),
        (isinstance(error, exceptions.SSLError), "its certificate is not trusted, or it speaks no TLS", False),
        (isinstance(error, exceptions.ProxyError), "the proxy does not let it through", True),
        (isinstance(cause, NameResolutionError), "its host is not known", True),
        (isinstance(cause, NewConnectionError), "refused", True),
        (isinstance(error, requests.ConnectionError), "the connection was cut", True),
    )
    otherwise = (f"failed ({type(error).__name__})", False)
    return _Attempt(*next(((words, again) for applies, words, again in kinds if applies), otherwise))
