"""Reads the raw samples of counters from Prometheus (``/api/v1/query`` with a range selector)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from rollback_ops.core.errors import BadAnswer
from rollback_ops.core.text import one_line

if TYPE_CHECKING:
    from pydantic import SecretStr

Samples = Sequence[Sequence[tuple[float, float]]]

MOST_SAMPLES = 10_000
_MOST_BYTES = 4_000_000
_CLOCKS_DIFFER = 15.0
_REASONS = {401: "it refuses the token", 403: "it refuses the token", 400: "it does not understand the query"}


def samples(
    url: str, selector: str, seconds: float, token: SecretStr | None, timeout: float, at: float | None = None
) -> Samples:
    """Return the samples of every series of the last ``seconds``: times (since the epoch) and values.

    ``at``: the seconds are those before this moment (since the epoch); None: before now.

    Raises ``BadAnswer`` when Prometheus does not answer, refuses, or answers without counters. No text of an
    exception is shown: it may contain the token.
    """
    return [values for _, values in _read(url, selector, seconds, token, timeout, at)]


def buckets(
    url: str, selector: str, seconds: float, token: SecretStr | None, timeout: float, at: float | None = None
) -> Mapping[float, Samples]:
    """Return the samples of a histogram by the upper bounds of its buckets (the label ``le``), as ``samples`` does.

    Raises ``BadAnswer`` also for series that are no buckets.
    """
    found: dict[float, list[Sequence[tuple[float, float]]]] = {}
    for labels, values in _read(url, selector, seconds, token, timeout, at):
        try:
            bound = float(labels["le"])
        except (KeyError, TypeError, ValueError):
            raise BadAnswer("the query latency returns series without le: it should select …_bucket") from None
        found.setdefault(bound, []).append(values)
    if found and math.inf not in found:
        raise BadAnswer('the query latency returns no bucket with le="+Inf", which counts all requests')
    return found


def _read(
    url: str, selector: str, seconds: float, token: SecretStr | None, timeout: float, at: float | None
) -> list[tuple[Mapping[str, Any], Sequence[tuple[float, float]]]]:
    import requests

    query = {"query": f"{selector}[{math.ceil(seconds)}s]"} | ({} if at is None else {"time": f"{at:.3f}"})
    try:
        with requests.Session() as session:
            # With an authentication of its own, requests never sends a password of ~/.netrc.
            session.auth = _bearer(token)
            address = f"{url.rstrip('/')}/api/v1/query"
            answer = session.post(address, data=query, timeout=timeout, allow_redirects=False)
            asked_at = time.time()
    except requests.RequestException as error:
        raise BadAnswer(f"Prometheus does not answer ({type(error).__name__})") from None
    _check(answer, asked_at)
    try:
        return _series(answer.json())
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadAnswer("Prometheus does not answer with a range of samples") from None


def _bearer(token: SecretStr | None) -> Callable[[Any], Any]:
    def authenticate(request: Any) -> Any:
        if token:
            request.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        return request

    return authenticate


def _check(answer: Any, now: float) -> None:
    if answer.status_code != 200:
        why = _REASONS.get(answer.status_code, "")
        raise BadAnswer(f"Prometheus answers with status {answer.status_code}{f': {why}' if why else ''}")
    if len(answer.content) > _MOST_BYTES:
        raise BadAnswer("Prometheus' answer is longer than 4 MB: let the query match fewer series")
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return
    if abs(theirs - now) > _CLOCKS_DIFFER:
        raise BadAnswer(f"Prometheus' clock differs from this machine's by {abs(theirs - now):.0f} s")


def _series(document: Any) -> list[tuple[Mapping[str, Any], Sequence[tuple[float, float]]]]:
    """Return each series with its labels."""
    data = document["data"]
    if document["status"] != "success" or data["resultType"] != "matrix":
        raise ValueError
    if sum(len(each["values"]) for each in data["result"]) > MOST_SAMPLES:
        raise BadAnswer(f"the query matches more than {MOST_SAMPLES:,} samples: let it match fewer series")
    return [(each.get("metric", {}), [_sample(*pair) for pair in each["values"]]) for each in data["result"]]


def _sample(at: float, value: str) -> tuple[float, float]:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise BadAnswer(f"the query returns {one_line(value)[:40]!r}, which is not the value of a counter")
    return float(at), number
