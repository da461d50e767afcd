"""Delivery of messages: each failure is explained in a few words, and none of them contains the address."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import responses
from urllib3.exceptions import NameResolutionError

from rollback_ops.integrations.webhook.delivery import send
from tests.support.receiver import SECRET, receiver

URL = f"https://hooks.example.org/services/{SECRET}/hunter2hunter2"
# The longest time, in seconds, that a test waits for a thread.
PATIENCE = 10.0


def deliver(url: str = URL, within: float = 5.0, pauses: list[float] | None = None) -> str:
    """Deliver a message. Pauses are not made, but added to ``pauses``."""
    why = send(url, lambda: b'{"text":"hello"}', within, ([] if pauses is None else pauses).append)
    assert SECRET not in why
    assert "hunter2" not in why
    assert "example.org" not in why
    return why


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- failures that are not tried again -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_message_that_the_receiver_rejects_is_not_sent_again(web: responses.RequestsMock, status: int) -> None:
    web.post(URL, status=status, body=f"no_service {URL}")
    assert str(status) in deliver()
    assert len(web.calls) == 1


def test_a_redirect_is_not_followed(web: responses.RequestsMock) -> None:
    web.post(URL, status=302, headers={"Location": f"https://elsewhere.example.org/{SECRET}"})
    assert "302" in deliver()
    assert len(web.calls) == 1


def test_a_web_page_as_the_answer_is_a_failure(web: responses.RequestsMock) -> None:
    web.post(URL, body="\n<!DOCTYPE html><title>Please log in</title>", content_type="text/html")
    assert "web page" in deliver()


def test_a_pause_that_ends_after_the_deadline_is_not_begun(web: responses.RequestsMock) -> None:
    web.post(URL, status=429, headers={"Retry-After": "30"})
    pauses: list[float] = []
    assert "429" in deliver(pauses=pauses)
    assert (len(web.calls), pauses) == (1, [])


@pytest.mark.parametrize(
    ("error", "words", "again"),
    [
        (requests.ReadTimeout(f"Read timed out. {URL}"), "timed out", False),
        (
            requests.exceptions.SSLError(f"certificate verify failed {URL}"),
            "the receiver's certificate",
            False,
        ),
        (requests.exceptions.InvalidURL(URL), "failed (InvalidURL)", False),
        (RuntimeError(URL), "failed (RuntimeError)", False),
        (requests.ConnectTimeout(URL), "timed out", True),
        (requests.exceptions.ProxyError(URL), "the proxy rejected the connection", True),
        (requests.ConnectionError(f"Connection aborted. {URL}"), "the connection was cut", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_is_explained_by_its_kind_and_a_passing_one_is_tried_again(
    web: responses.RequestsMock, error: Exception, words: str, again: bool
) -> None:
    web.post(URL, body=error)
    assert deliver(within=PATIENCE).startswith(words)
    assert (len(web.calls) > 1) == again


def test_a_name_that_does_not_resolve_is_reported_as_such(web: responses.RequestsMock) -> None:
    cause: Any = type("MaxRetryError", (Exception,), {})(URL)
    cause.reason = NameResolutionError("hooks.example.org", None, socket.gaierror(URL))  # type: ignore[arg-type]
    web.post(URL, body=requests.ConnectionError(cause))
    assert "resolve" in deliver(within=PATIENCE)


# --- failures that are tried again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_message_is_sent_again_after_a_passing_failure(web: responses.RequestsMock, status: int) -> None:
    web.post(URL, status=status)
    web.post(URL, body="ok")
    assert deliver() == ""
    assert [call.request.body for call in web.calls] == [b'{"text":"hello"}'] * 2


def test_a_server_that_stays_broken_is_given_up(web: responses.RequestsMock) -> None:
    web.post(URL, status=500)
    pauses: list[float] = []
    assert "500" in deliver(pauses=pauses)
    assert (len(web.calls), len(pauses)) == (4, 3)
    assert pauses == sorted(pauses)


def in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(("asked", "least"), [(lambda: "1", 1.0), (in_two_seconds, 0.9)], ids=["seconds", "date"])
def test_the_pause_that_the_receiver_asks_for_is_made(
    web: responses.RequestsMock, asked: Callable[[], str], least: float
) -> None:
    web.post(URL, status=429, headers={"Retry-After": asked()})
    web.post(URL)
    pauses: list[float] = []
    assert deliver(pauses=pauses) == ""
    assert len(pauses) == 1
    assert least <= pauses[0] <= 2


@pytest.mark.parametrize("nonsense", ["soon", "-1", "", "1e9"])
def test_a_pause_that_cannot_be_read_is_replaced_by_the_usual_one(web: responses.RequestsMock, nonsense: str) -> None:
    web.post(URL, status=429, headers={"Retry-After": nonsense})
    web.post(URL)
    assert deliver() == ""


# --- real sockets ----------------------------------------------------------------------------------------


@contextmanager
def speaking(answer: bytes) -> Iterator[str]:
    """A server that says these bytes to everyone and hangs up; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/services/{SECRET}/hunter2"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def test_a_receiver_that_does_not_listen_refuses_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert deliver(f"http://127.0.0.1:{port}/{SECRET}", within=PATIENCE).endswith("refused")


def test_a_connection_that_is_cut_is_reported_as_such() -> None:
    with speaking(b"") as url:
        assert deliver(url, within=PATIENCE).endswith("cut")


def test_a_receiver_that_hangs_is_given_up_at_the_deadline() -> None:
    with receiver((0, {})) as there:
        began = time.monotonic()
        assert deliver(there.url, within=0.3) == "timed out"
        assert time.monotonic() - began < PATIENCE
    assert len(there.bodies) <= 1


def test_an_answer_that_cannot_be_read_leaves_no_address_in_a_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n") as url, caplog.at_level(logging.DEBUG):
        deliver(url)
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())


def test_a_proxy_does_not_see_what_is_meant_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with receiver() as there:
        assert deliver(there.url) == ""


# --- addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"http://hooks.example.org/{SECRET}", "https"),
        (f"http://127.0.0.1.example.org/{SECRET}", "https"),
        (f"file:///{SECRET}", "https"),
        (f"https:///{SECRET}", "https"),
        (SECRET, "https"),
        (f"https://[{SECRET}", "not a URL"),
    ],
)
def test_an_address_that_is_not_https_gets_nothing(web: responses.RequestsMock, url: str, words: str) -> None:
    why = deliver(url)
    assert why.startswith("ROLLBACK_WEBHOOK_URL ")
    assert words in why
    assert len(web.calls) == 0


def test_an_error_while_a_message_is_built_is_explained_without_its_text() -> None:
    def body() -> bytes:
        raise ValueError(URL)

    why = send(URL, body, 1.0)
    assert "ValueError" in why
    assert SECRET not in why
