"""The answers of Prometheus, good and bad, and the samples in them."""

from __future__ import annotations

import json
import math
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import SecretStr

from rollback_ops.core.errors import BadAnswer
from rollback_ops.integrations.prometheus import MOST_SAMPLES, buckets, samples
from tests.support.http_server import serving

TOKEN = SecretStr("s3cr3t-token")


def answer(document: Any, status: str = "200 OK", date: str = "") -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    dated = f"Date: {date}\r\n" if date else ""
    return f"HTTP/1.1 {status}\r\n{dated}Content-Length: {len(body)}\r\n\r\n".encode() + body


def matrix(*series: list[tuple[float, str]]) -> dict[str, Any]:
    result = [{"metric": {}, "values": values} for values in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def ask(said: bytes, token: SecretStr | None = None) -> tuple[Any, bytes]:
    with serving(said) as server:
        found = samples(f"http://127.0.0.1:{server.port}/", 'up{a="b"}', 90.2, token, 5.0)
        return found, server.heard[0]


def test_the_samples_of_every_series_are_read_with_a_range_and_the_token() -> None:
    found, heard = ask(answer(matrix([(1.5, "2"), (16.5, "4e1")], [(2.0, "0")])), TOKEN)
    assert found == [[(1.5, 2.0), (16.5, 40.0)], [(2.0, 0.0)]]
    assert heard.startswith(b"POST /api/v1/query ")
    assert b"Authorization: Bearer s3cr3t-token" in heard


def test_without_a_token_none_is_sent() -> None:
    assert b"Authorization" not in ask(answer(matrix()))[1]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (answer(matrix([(1, "NaN")])), "'NaN'"),
        (answer(matrix([(1, "+Inf")])), "Inf"),
        (answer(matrix([(1, "-1")])), "'-1'"),
        (answer(matrix([(1, "many")])), "range of samples"),
        (answer({"status": "success", "data": {"resultType": "vector", "result": []}}), "range of samples"),
        (answer({"status": "error"}), "range of samples"),
        (answer(b"<html>"), "range of samples"),
        (answer([]), "range of samples"),
        (answer(matrix([(1, "1")] * (MOST_SAMPLES + 1))), f"{MOST_SAMPLES:,}"),
        (answer({}, "401 Unauthorized"), "401: it refuses the token"),
        (answer({}, "400 Bad Request"), "400: it does not understand the query"),
        (answer({}, "302 Found"), "302"),
        (answer({}, "503 Unavailable"), "503"),
        (answer(matrix(), date="Thu, 01 Jan 2004 00:00:00 GMT"), "clock differs"),
        (b"", "does not answer"),
    ],
)
def test_what_is_no_range_of_counts_is_one_clear_message(said: bytes, told: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        ask(said, TOKEN)
    assert told in caught.value.message
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_clock_that_differs_a_little_is_no_trouble() -> None:
    assert ask(answer(matrix(), date=formatdate(usegmt=True)))[0] == []


# --- histograms ------------------------------------------------------------------------------------------


def histogram(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> dict[str, Any]:
    result = [{"metric": labels, "values": values} for labels, values in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def ask_for_buckets(said: bytes) -> Any:
    with serving(said) as server:
        return buckets(f"http://127.0.0.1:{server.port}/", "b", 90.2, None, 5.0)


def test_the_buckets_of_a_histogram_are_read_by_their_bounds() -> None:
    said = histogram(({"le": "0.5", "i": "1"}, [(1, "2")]), ({"le": "0.5"}, [(1, "3")]), ({"le": "+Inf"}, [(1, "9")]))
    assert ask_for_buckets(answer(said)) == {0.5: [[(1.0, 2.0)], [(1.0, 3.0)]], math.inf: [[(1.0, 9.0)]]}
    assert ask_for_buckets(answer(histogram())) == {}


@pytest.mark.parametrize("labels", [{}, {"le": "fast"}, {"le": "0.5"}], ids=["no le", "no number", "no +Inf"])
def test_series_that_are_no_histogram_are_one_clear_message(labels: dict[str, str]) -> None:
    with pytest.raises(BadAnswer, match="le"):
        ask_for_buckets(answer(histogram((labels, [(1, "2")]))))
