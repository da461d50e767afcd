"""A webhook's receiver on loopback, which answers as it is told and keeps what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "T0SECRETPATH"


@dataclass
class Receiver:
    """``answers`` are status and headers, the last of them for ever; status 0 hangs until it is closed.

    ``latency`` is in seconds.
    """

    answers: Sequence[tuple[int, dict[str, str]]]
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""
    latency: float = 0.0
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def answer(self, body: bytes) -> tuple[int, dict[str, str]]:
        self.bodies.append(body)
        return self.answers[min(len(self.bodies), len(self.answers)) - 1]


@contextmanager
def receiver(*answers: tuple[int, dict[str, str]]) -> Iterator[Receiver]:
    there = Receiver(answers or ((200, {}),))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers = there.answer(self.rfile.read(int(self.headers["Content-Length"])))
            if not status:
                there.closed.wait()
                return
            there.closed.wait(there.latency)
            self.send_response(status)
            for name, value in {"Content-Length": "2", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        there.url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}/hunter2hunter2"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield there
        finally:
            there.closed.set()
            server.shutdown()
            thread.join(5)
