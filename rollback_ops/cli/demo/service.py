"""The service of the demo, one copy in each release: ``service.py PORT LOCKFILE``, started inside the release.

It answers ``/health`` with the contents of the file ``health`` in its release. It holds the lock for as long as it
lives, and the lock file has its process id.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class HealthHandler(BaseHTTPRequestHandler):
    release = Path.cwd().name

    def do_GET(self) -> None:
        status = Path("health").read_text(encoding="utf-8").strip()
        body = json.dumps({"release": self.release, "status": status}).encode()
        self.send_response(200 if status == "ok" else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(HTTPServer):
    # The demo holds the port without listening, so that nobody else takes it between two releases.
    allow_reuse_port = True


def main() -> None:
    server = Server(("127.0.0.1", int(sys.argv[1])), HealthHandler)
    with open(sys.argv[2], "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        print(os.getpid(), file=lock, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
