"""A stand-in for Prometheus that keeps the samples of counters, every 15 seconds, as functions of the time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from urllib.parse import parse_qs

Counter = Callable[[float], float]


class _Store(ThreadingHTTPServer):
    daemon_threads = True
    counters: Mapping[str, Counter]


class _Query(BaseHTTPRequestHandler):
    server: _Store

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        name, _, span = form["query"][0].partition("[")
        at, seconds = float(form.get("time", [str(time())])[0]), int(span.removesuffix("s]"))
        times = range(int((at - seconds) // 15) + 1, int(at // 15) + 1)
        values = [[15 * n, f"{self.server.counters[name](15 * n)}"] for n in times]
        found = {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def keeping(**counters: Counter) -> Iterator[str]:
    """Answer queries about these counters. Returns the address."""
    server = _Store(("127.0.0.1", 0), _Query)
    server.counters = counters
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
