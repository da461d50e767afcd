"""A service that counts its requests for Prometheus: ``/work`` and ``/slow``, whose answer takes a while.

Run as ``service.py PORT`` like the other one. ``behaviour`` of its release: ``fails`` (one request in twenty ends with
500) or ``slow`` (four times as slow). While its release has a file ``blind``, it cannot be scraped. Each request is a
line on stderr.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BUCKETS = (0.01, 0.15, 1.0)
RELEASE = Path.cwd().resolve()
BEHAVIOUR = (RELEASE / "behaviour").read_text()
TAKES = 0.2 if "slow" in BEHAVIOUR else 0.05
_lock = threading.Lock()
_counts = {"200": 0, "500": 0}
_times = dict.fromkeys((*map(str, BUCKETS), "+Inf"), 0)


def work() -> int:
    with _lock:
        number = sum(_counts.values())
        code = 500 if "fails" in BEHAVIOUR and number % 20 == 7 else 200
        _counts[str(code)] += 1
    os.write(2, f"GET /work {code}\n".encode())
    return code


def slow() -> int:
    began = time.monotonic()
    time.sleep(TAKES)
    took = time.monotonic() - began
    with _lock:
        for bound in _times:
            _times[bound] += bound == "+Inf" or took <= float(bound)
    return 200


def metrics() -> str:
    with _lock:
        counts = [f'http_requests_total{{code="{code}"}} {count}\n' for code, count in _counts.items()]
        return "".join([*counts, *(f'http_seconds_bucket{{le="{bound}"}} {n}\n' for bound, n in _times.items())])


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        code, body = 200, f'{{"status": "ok", "release": "{RELEASE.name}"}}'
        if self.path == "/work":
            code = work()
        elif self.path == "/slow":
            code = slow()
        elif self.path == "/metrics":
            code, body = (503, "") if (RELEASE / "blind").exists() else (200, metrics())
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing more."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Page).serve_forever()
