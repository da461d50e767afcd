"""The ``http`` check, against servers on loopback that answer well, badly or not at all."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.checks.http import Http
from rollback_ops.config import HttpCheck
from rollback_ops.core.health import Finding
from rollback_ops.core.ports import Stream
from tests.support.http_server import answer, saying, self_made, serving


def dial(host: str, port: int, timeout: float) -> socket.socket:
    return socket.create_connection((host, port), timeout)


def http(url: str, **settings: Any) -> Http:
    return Http(HttpCheck.model_validate({"kind": "http", "url": url, "timeout": "10s"} | settings), "v1")


NOT_ASKED = [
    socket.gaierror(socket.EAI_NONAME, "the reason"),
    UnicodeError("the reason"),
    PermissionError("the reason"),
    ConnectionResetError("the reason"),
]


def asked(said: Any, path: str = "/health", **settings: Any) -> Finding:
    with serving(said) as server:
        return http(f"http://127.0.0.1:{server.port}{path}", **settings).probe(dial)


@pytest.fixture
def for_ever() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_with_the_expected_status_passes() -> None:
    assert asked(answer(b"fine")).verdict == "passed"


def test_the_request_is_one_that_any_server_understands() -> None:
    with serving(answer(b"fine")) as server:
        url = f"http://127.0.0.1:{server.port}/health/{{release}}?of={{release}}"
        assert http(url, headers={"X-Who": "me"}).probe(dial).verdict == "passed"
    (request,) = server.heard
    head, *lines = request.decode().split("\r\n")
    assert head == "GET /health/v1?of=v1 HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "X-Who: me", "Connection: close"} <= set(lines)


def test_an_address_without_a_path_asks_for_the_root() -> None:
    with serving(answer(b"fine")) as server:
        http(f"http://127.0.0.1:{server.port}").probe(dial)
    assert server.heard[0].startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("status", ["500 Internal Server Error", "404 Not Found", "204 No Content"])
def test_another_status_fails_and_shows_the_beginning_of_the_answer(status: str) -> None:
    finding = asked(answer(b"database\n\tis  down", status))
    assert finding.verdict == "failed"
    assert all(
        shown in finding.detail for shown in (status[:3], "200", "" if status[:3] == "204" else "database is down")
    )


@pytest.mark.parametrize(("status", "final"), [(503, True), (500, False), (200, False)])
def test_a_final_status_is_hard_evidence(status: int, final: bool) -> None:
    finding = http("http://a", final=(502, 503)).judge(status, b"", 0.1)
    assert (finding.verdict, finding.final) == ("passed" if status == 200 else "failed", final)


def test_the_expected_status_may_be_another_one() -> None:
    assert asked(answer(b"", "401 Unauthorized"), status=401).verdict == "passed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(answer(b"fine")) as elsewhere:
        to = f"Location: http://127.0.0.1:{elsewhere.port}/"
        finding = asked(answer(b"", f"{status} Moved", to))
    assert (finding.verdict, elsewhere.heard) == ("failed", [])
    assert str(status) in finding.detail


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_a_body_that_arrives_after_its_head_is_read(version: bytes, for_ever: threading.Event) -> None:
    head = version + b" 200 OK\r\nConnection: close\r\nContent-Length: 17\r\n\r\n"
    said = saying(head, b'{"release"', b': "v1"}', every=0.05, until=for_ever)
    assert asked(said, json={"release": "{release}"}).verdict == "passed"


def test_a_body_in_chunks_is_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'5\r\n{"a":\r\n8;x=y\r\n {"b":1}\r\n1\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n'
    assert asked(head + body, json={"a.b": 1}).verdict == "passed"


def test_a_body_that_ends_with_the_connection_is_read() -> None:
    assert asked(b"HTTP/1.0 200 OK\r\n\r\nhello", text="hello").verdict == "passed"


# --- what is in the answer -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"), [("release v1 is up", "passed"), ("release {release}", "passed"), ("v2", "failed")]
)
def test_the_text_that_is_expected_is_looked_for(text: str, verdict: str) -> None:
    finding = asked(answer(b"<p>release v1 is up</p>"), text=text)
    assert finding.verdict == verdict


DOCUMENT = {
    "status": "ok",
    "release": "v1",
    "checks": {"db": {"up": True, "lag": 0}, "list": [1, True]},
    "a.b": "flat",
    "none": None,
}


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"status": "ok"}, "passed"),
        ({"status": "ok", "release": "{release}"}, "passed"),
        ({"status": "ok", "release": "v2"}, "failed"),
        ({"checks.db.up": True}, "passed"),
        ({"checks.db.up": 1}, "failed"),
        ({"checks.db.up": "true"}, "failed"),
        ({"checks.db.lag": 0}, "passed"),
        ({"checks.db.lag": 0.0}, "passed"),
        ({"checks.db.lag": False}, "failed"),
        ({"checks.db.lag": "0"}, "failed"),
        ({"checks.db": {"up": True, "lag": 0}}, "passed"),
        ({"checks.db": {"up": 1, "lag": False}}, "failed"),
        ({"checks.list": [1, True]}, "passed"),
        ({"checks.list": [True, 1]}, "failed"),
        ({"checks.list": [1]}, "failed"),
        ({"checks.db.missing": "x"}, "failed"),
        ({"status.deeper": "x"}, "failed"),
        ({"missing": ""}, "failed"),
        ({"none": False}, "failed"),
    ],
)
def test_fields_are_compared_by_their_path_and_their_type(fields: dict[str, object], verdict: str) -> None:
    assert asked(answer(json.dumps(DOCUMENT).encode()), json=fields).verdict == verdict


def test_the_release_may_stand_anywhere_in_what_is_expected() -> None:
    body = answer(b'{"app": {"name": "bot v1", "all": ["v1"]}}')
    assert asked(body, json={"app": {"name": "bot {release}", "all": ["{release}"]}}).verdict == "passed"


def test_a_field_that_is_another_is_shown_with_both_values() -> None:
    finding = asked(answer(json.dumps(DOCUMENT).encode()), json={"release": "v2"})
    assert all(shown in finding.detail for shown in ("release", '"v1"', '"v2"'))


@pytest.mark.parametrize(
    "body", [b"", b"fine", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b"null", b"[]", b'"ok"']
)
def test_a_body_that_is_not_the_json_that_is_expected_fails(body: bytes) -> None:
    assert asked(answer(body), json={"status": "ok"}).verdict == "failed"


def test_control_characters_of_an_answer_never_reach_a_terminal_or_a_log() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\u202e\x9b31m\r\n::error::".encode()
    for finding in (asked(answer(evil, "500 Oh")), asked(answer(evil), text="ok"), asked(answer(evil), json={"a": 1})):
        assert finding.verdict == "failed"
        assert finding.detail.isprintable()
    finding = asked(answer(json.dumps({"a": evil.decode()}, ensure_ascii=False).encode()), json={"a": 1})
    assert finding.detail.isprintable()


# --- servers that do not answer as they should -----------------------------------------------------------


def test_a_port_where_nothing_listens_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    finding = http(f"http://127.0.0.1:{port}/").probe(dial)
    assert (finding.verdict, finding.trigger) == ("failed", "health-timeout")
    assert f"127.0.0.1:{port}" in finding.detail


def test_a_port_that_does_not_accept_in_time_fails() -> None:
    def late(host: str, port: int, timeout: float) -> Stream:
        raise TimeoutError

    finding = http("http://bot:8080/", timeout="300ms").probe(late)
    assert (finding.verdict, finding.trigger) == ("failed", "health-timeout")
    assert all(shown in finding.detail for shown in ("bot:8080", "0.3 s"))


@pytest.mark.parametrize("error", NOT_ASKED, ids=lambda error: type(error).__name__)
def test_a_service_that_could_not_be_asked_is_unknown(error: Exception) -> None:
    def broken(host: str, port: int, timeout: float) -> Stream:
        raise error

    finding = http("http://bot:8080/").probe(broken)
    assert (finding.verdict, finding.final) == ("unknown", False)
    assert all(shown in finding.detail for shown in ("bot:8080", "the reason"))


def test_a_service_that_resets_the_connection_fails() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    finding = asked(reset)
    assert (finding.verdict, "10 s" in finding.detail) == ("failed", False)


def test_a_server_that_says_nothing_fails_at_the_timeout(for_ever: threading.Event) -> None:
    began = time.monotonic()
    finding = asked(lambda _: for_ever.wait(30), timeout="300ms")
    assert 0.3 <= time.monotonic() - began < 10
    assert (finding.verdict, finding.trigger) == ("failed", "health-timeout")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_server_that_drips_for_longer_than_the_timeout_fails_at_the_timeout(
    head: bytes, for_ever: threading.Event
) -> None:
    drops = (b"x",) * 1000
    began = time.monotonic()
    finding = asked(saying(head, *drops, every=0.05, until=for_ever), timeout="400ms")
    assert 0.4 <= time.monotonic() - began < 10
    assert (finding.verdict, finding.trigger) == ("failed", "health-timeout")


def test_headers_without_end_fail_at_the_timeout_or_before() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: more\r\n" * 1000)

    assert asked(talk, timeout="1s").verdict == "failed"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\xfe" * 1000,
        b"HTTP/1.1 fine OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
        b"HTTP/9.9",
    ],
)
def test_an_answer_that_is_no_http_fails(said: bytes) -> None:
    finding = asked(said, text="fine")
    assert (finding.verdict, finding.detail.isprintable()) == ("failed", True)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfine",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nfine",
    ],
)
def test_an_answer_that_breaks_off_fails(said: bytes) -> None:
    """The service went down while it answered."""
    assert asked(said, text="fine").verdict == "failed"


def test_of_a_very_long_body_only_the_beginning_is_read(for_ever: threading.Event) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nhello")
        while not for_ever.is_set():
            connection.sendall(b"x" * 65536)

    began = time.monotonic()
    assert asked(talk, text="hello", timeout="10s").verdict == "passed"
    assert time.monotonic() - began < 10


def test_a_body_of_a_megabyte_is_read_whole() -> None:
    body = b'{"padding": "' + b"x" * 950_000 + b'", "status": "ok"}'
    assert asked(answer(body), json={"status": "ok"}).verdict == "passed"


def test_an_answer_that_is_too_slow_fails_even_if_it_is_right(for_ever: threading.Event) -> None:
    said = saying(answer(b"fine"), every=0.3, until=for_ever)
    finding = asked(said, max_latency="100ms")
    assert finding.verdict == "failed"
    assert finding.trigger == "health-timeout"
    assert finding.silent
    assert "0.1 s" in finding.detail


def test_the_connection_is_closed_whatever_happens(for_ever: threading.Event) -> None:
    for said in (answer(b"fine"), b"garbage", lambda _: for_ever.wait(30)):
        dialled: list[socket.socket] = []

        def remembered(host: str, port: int, timeout: float) -> socket.socket:
            dialled.append(dial(host, port, timeout))  # noqa: B023
            return dialled[-1]  # noqa: B023

        with serving(said) as server:
            http(f"http://127.0.0.1:{server.port}", timeout="200ms").probe(remembered)
        assert [each.fileno() for each in dialled] == [-1]


# --- TLS -------------------------------------------------------------------------------------------------


def test_https_refuses_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    with serving(answer(b"fine"), self_made(tmp_path, "127.0.0.1", "localhost")) as server:
        finding = http(f"https://localhost:{server.port}/").probe(dial)
    assert (finding.verdict, server.heard) == ("failed", [])
    assert "certificate" in finding.detail


def test_https_is_answered_where_the_certificate_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = self_made(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with serving(answer(b'{"release": "v1"}'), tls) as server:
        finding = http(f"https://localhost:{server.port}/", json={"release": "{release}"}).probe(dial)
    assert finding.verdict == "passed"


def test_https_refuses_a_trusted_certificate_of_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = self_made(tmp_path, "elsewhere.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with serving(answer(b"fine"), tls) as server:
        assert http(f"https://localhost:{server.port}/").probe(dial).verdict == "failed"


def test_https_that_never_shakes_hands_fails_at_the_timeout(for_ever: threading.Event) -> None:
    with serving(lambda _: for_ever.wait(30)) as server:
        began = time.monotonic()
        finding = http(f"https://localhost:{server.port}/", timeout="300ms").probe(dial)
    assert (finding.verdict, time.monotonic() - began < 10) == ("failed", True)


def test_https_that_shakes_hands_drop_by_drop_fails_at_the_timeout(for_ever: threading.Event) -> None:
    """The beginning of a record that is announced to be long."""
    drip = saying(b"\x16\x03\x03\x3f\xff", *(b"\x02",) * 1000, every=0.05, until=for_ever)
    with serving(drip) as server:
        began = time.monotonic()
        finding = http(f"https://localhost:{server.port}/", timeout="400ms").probe(dial)
    assert (finding.verdict, time.monotonic() - began < 10) == ("failed", True)


def test_https_on_a_port_that_speaks_http_fails() -> None:
    with serving(answer(b"fine")) as server:
        assert http(f"https://localhost:{server.port}/").probe(dial).verdict == "failed"
