"""What becomes of a message: every way in which it does not arrive is a few words, and none of them has the address."""

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
# A thread of a test waits for nothing longer than this (seconds).
PATIENCE = 10.0


def deliver(url: str = URL, within: float = 5.0) -> str:
    why = send(url, lambda: b'{"text":"hello"}', within)
    assert SECRET not in why
    assert "hunter2" not in why
    assert "example.org" not in why
    return why


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- what is not tried again -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_what_is_refused_is_not_sent_again(web: responses.RequestsMock, status: int) -> None:
    web.post(URL, status=status, body=f"no_service {URL}")
    assert deliver() == f"status {status}"
    assert len(web.calls) == 1


def test_a_redirect_is_not_followed(web: responses.RequestsMock) -> None:
    web.post(URL, status=302, headers={"Location": f"https://elsewhere.example.org/{SECRET}"})
    assert deliver() == "the receiver redirects to another address (status 302)"
    assert len(web.calls) == 1


def test_a_web_page_is_no_answer_of_a_webhook(web: responses.RequestsMock) -> None:
    web.post(URL, body="\n<!DOCTYPE html><title>Please log in</title>", content_type="text/html")
    assert deliver() == "the receiver answered with a web page"


def test_a_wait_that_is_longer_than_the_patience_is_not_begun(web: responses.RequestsMock) -> None:
    web.post(URL, status=429, headers={"Retry-After": "30"})
    began = time.monotonic()
    assert deliver() == "status 429"
    assert time.monotonic() - began < 3
    assert len(web.calls) == 1


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
def test_an_error_becomes_its_kind_and_what_may_pass_is_tried_again(
    web: responses.RequestsMock, error: Exception, words: str, again: bool
) -> None:
    web.post(URL, body=error)
    assert deliver(within=1.0).startswith(words)
    assert (len(web.calls) > 1) == again


def test_a_host_that_is_not_known_is_said_to_be(web: responses.RequestsMock) -> None:
    cause: Any = type("MaxRetryError", (Exception,), {})(URL)
    cause.reason = NameResolutionError("hooks.example.org", None, socket.gaierror(URL))  # type: ignore[arg-type]
    web.post(URL, body=requests.ConnectionError(cause))
    assert deliver(within=1.0) == "the name of the receiver's host does not resolve"


# --- what is tried again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_sent_again(web: responses.RequestsMock, status: int) -> None:
    web.post(URL, status=status)
    web.post(URL, body="ok")
    assert deliver() == ""
    assert [call.request.body for call in web.calls] == [b'{"text":"hello"}'] * 2


def test_a_server_that_stays_broken_is_given_up(web: responses.RequestsMock) -> None:
    web.post(URL, status=500)
    assert deliver() == "status 500"
    assert len(web.calls) == 4


def in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(("asked", "least"), [(lambda: "1", 1.0), (in_two_seconds, 0.9)], ids=["seconds", "date"])
def test_the_pause_that_the_receiver_asks_for_is_made(
    web: responses.RequestsMock, asked: Callable[[], str], least: float
) -> None:
    web.post(URL, status=429, headers={"Retry-After": asked()})
    web.post(URL)
    began = time.monotonic()
    assert deliver() == ""
    assert time.monotonic() - began >= least


@pytest.mark.parametrize("nonsense", ["soon", "-1", "", "1e9"])
def test_a_pause_that_makes_no_sense_is_not_made(web: responses.RequestsMock, nonsense: str) -> None:
    web.post(URL, status=429, headers={"Retry-After": nonsense})
    web.post(URL)
    assert deliver(within=4.5) == ""


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


def test_a_receiver_that_is_not_there_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert deliver(f"http://127.0.0.1:{port}/{SECRET}", within=1.0) == "the connection was refused"


def test_a_connection_that_is_cut_is_said_to_be() -> None:
    with speaking(b"") as url:
        assert deliver(url, within=1.0) == "the connection was cut"


def test_a_receiver_that_hangs_is_left_in_time() -> None:
    with receiver((0, {})) as there:
        began = time.monotonic()
        assert deliver(there.url, within=0.5) == "timed out"
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
        (f"http://hooks.example.org/{SECRET}", "ROLLBACK_WEBHOOK_URL should be an https URL"),
        (f"http://127.0.0.1.example.org/{SECRET}", "ROLLBACK_WEBHOOK_URL should be an https URL"),
        (f"file:///{SECRET}", "ROLLBACK_WEBHOOK_URL should be an https URL"),
        (f"https:///{SECRET}", "ROLLBACK_WEBHOOK_URL should be an https URL"),
        (SECRET, "ROLLBACK_WEBHOOK_URL should be an https URL"),
        (f"https://[{SECRET}", "ROLLBACK_WEBHOOK_URL is not a URL"),
    ],
)
def test_an_address_that_is_not_https_gets_nothing(web: responses.RequestsMock, url: str, words: str) -> None:
    assert deliver(url) == words
    assert len(web.calls) == 0


def test_a_message_that_cannot_be_made_is_a_few_words_too() -> None:
    def body() -> bytes:
        raise ValueError(URL)

    assert send(URL, body, 1.0) == "failed (ValueError)"
