"""Fixtures of the tests of GitHub."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import responses


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """Every answer that was prepared need not be asked for."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def server() -> Iterator[Callable[[int, bytes], tuple[str, list[str]]]]:
    """Servers on loopback that answer everything with one status and body: address, and what they were asked."""
    with ExitStack() as running:
        yield lambda status, body: _serve(running, status, body)


def _serve(running: ExitStack, status: int, body: bytes) -> tuple[str, list[str]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path.partition('?')[0]}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    there = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
    there.daemon_threads = True
    thread = threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    running.callback(thread.join, 5)
    running.callback(there.shutdown)
    return f"http://127.0.0.1:{there.server_port}", asked
