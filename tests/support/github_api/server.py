"""The stand-in's server: where GitHub's API is in a test."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.github_api import endpoints
from tests.support.github_api.description import Answer, Description, Request, described
from tests.support.github_api.repository import Repository
from tests.support.github_api.troubles import BROKEN, Kind, Raw, Trouble

TOKEN = "ghs_0000000000000000000000000000standin1"


@dataclass(frozen=True)
class Told:
    """One request as it came in, at ``time.monotonic()``, and how it was answered (0: not at all)."""

    at: float
    request: Request
    status: int

    @property
    def document(self) -> Any:
        return json.loads(self.request.body)


@dataclass
class GitHubApi:
    """``rights`` are what the token may do, as a job's ``permissions`` say it; ``latency`` is in seconds."""

    description: Description
    repository: Repository
    prefix: str = ""
    url: str = ""
    token: str = TOKEN
    rights: set[str] = field(default_factory=lambda: {"deployments", "members", "contents", "issues"})
    latency: float = 0.0
    troubles: list[Trouble] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    _exchanged: list[tuple[Request, Answer | None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def violations(self) -> list[str]:
        """What was not as GitHub describes it, or failed. It is looked for here: nobody waits for an answer."""
        found = list(self.failures)
        for request, answer in self._exchanged:
            wrong = self.description.wrong_in_request(request)
            found += wrong
            if answer and not wrong:
                found += self.description.wrong_in_answer(request, answer)
        return found

    def is_in_trouble(self, kind: Kind, pattern: str = "", times: int = 1_000_000) -> None:
        self.troubles.append(Trouble(kind, pattern, times))

    def asked(self, pattern: str) -> list[Told]:
        """The requests whose ``METHOD /path`` the pattern is found in."""
        return [one for one in self.told if re.search(pattern, str(one.request))]

    def answer(self, request: Request) -> Raw | None:
        """None ends the connection without a word. Every request and answer is held to the description later."""
        at = time.monotonic()
        answer = self._answer(request)
        self.told.append(Told(at, request, answer[0] if answer else 0))
        return answer

    def _answer(self, request: Request) -> Raw | None:
        with self._lock:
            trouble = next((trouble.kind for trouble in self.troubles if trouble.hits(request)), None)
            # At once: who gave up waiting and looks again finds what it asked for, however busy this machine is.
            done = None if trouble in BROKEN or trouble in ("hang", "cut") else self._done(request)
            self._exchanged.append((request, done))
        self.closed.wait(120 if trouble == "hang" else self.latency)
        if trouble in BROKEN:
            return BROKEN[trouble]
        if done is None or trouble == "lost answer":
            return None
        headers = {"Content-Type": "application/json; charset=utf-8", **done.headers}
        return done.status_code, headers, done.data

    def _done(self, request: Request) -> Answer:
        """The answer. What fails here may be a request that GitHub would not understand, which is found out later."""
        try:
            answer = endpoints.answer(request, self.repository, self.token, self.rights)
        except Exception as error:  # a violation must not look like a trouble that a test asked for
            self.failures.append(f"the stand-in failed: {error!r}")
            answer = endpoints.refused(500, "Server Error")
        assert answer.data
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _serve(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not split.path.startswith(self.server.api.prefix + "/"):
            self.server.api.failures.append(f"{self.path} is not under {self.server.api.prefix}")
        path = split.path.removeprefix(self.server.api.prefix)
        answer = self.server.api.answer(Request(self.command.lower(), path, split.query, headers, body))
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, answered, document = answer
        self.send_response(status)
        for name, value in {**answered, "Content-Length": str(len(document))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(document)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: GitHubApi) -> None:
        self.api = api
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that is gone is none of GitHub's concern; what is wrong here is a violation already."""


@contextmanager
def github_api(dialect: str = "github.com", repository: Repository | None = None) -> Iterator[GitHubApi]:
    """Fails the test at its end when a request, or an answer of the stand-in itself, was not as GitHub describes it.

    ``enterprise`` servers have all paths under ``/api/v3``.
    """
    prefix = "/api/v3" if dialect == "enterprise" else ""
    api = GitHubApi(described(dialect), repository or Repository(), prefix)
    with _Server(api) as server:
        api.url = api.repository.url = f"http://127.0.0.1:{server.server_port}{prefix}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.closed.set()
            server.shutdown()
            thread.join(5)
    wrong = api.violations
    assert not wrong, "\n".join(wrong)
