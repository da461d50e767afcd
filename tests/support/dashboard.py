"""The dashboard's server on loopback, and a client that sends exactly what a test wants: a browser, or its enemy."""

from __future__ import annotations

import html
import http.client
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from rollback_ops.config.secrets import Secrets
from rollback_ops.web.server.app import application
from rollback_ops.web.server.forms import FormSigner
from rollback_ops.web.server.operations import Operations, Scope
from rollback_ops.web.server.runs import Runs
from rollback_ops.web.server.security import ENTRANCE
from rollback_ops.web.server.serving import listen, serving
from rollback_ops.web.server.sessions import Sessions
from rollback_ops.web.server.site import Site

_FORM = "application/x-www-form-urlencoded"
# How a client on Linux reaches an IPv4 address: an IPv6 socket can, too, where there is IPv6.
FAMILIES = [
    (family, address)
    for family, address, table in (
        (socket.AF_INET, "127.0.0.1", "/proc/net/tcp"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "/proc/net/tcp6"),
    )
    if Path(table).exists()
]
# Seconds. A page asks hosts; a busy machine is slow.
_PATIENCE = 60.0


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def hidden(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', self.text)
        assert found, self.text
        return html.unescape(found[1])


@dataclass
class Client:
    """Sends requests. ``usual``: the headers that every one has; None in a request takes one away."""

    port: int
    usual: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str | None) -> Answer:
        own = {"origin": f"http://127.0.0.1:{self.port}", "sec_fetch_site": "same-origin", "content_type": _FORM}
        return self.send("POST", path, urlencode(form), **{**own, **headers})

    def send(self, method: str, path: str, body: str | None, **headers: str | None) -> Answer:
        """Send a request. A header is spelled as a word: ``sec_fetch_site``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        spelled = {name.replace("_", "-"): value for name, value in {**self.usual, **headers}.items()}
        try:
            connection.request(
                method, path, body, {name: value for name, value in spelled.items() if value is not None}
            )
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())
        finally:
            connection.close()


@dataclass
class Served:
    """A server that runs. ``defects`` are the errors that nobody expected."""

    port: int
    sessions: Sessions
    runs: Runs
    clock: Clock
    defects: list[Exception]

    @property
    def link(self) -> str:
        return f"{ENTRANCE}{self.sessions.link_token}"

    def stranger(self) -> Client:
        """A client without a session."""
        return Client(self.port)

    def browser(self) -> Client:
        """The person's browser, after the link was opened."""
        entered = Client(self.port).get(self.link, sec_fetch_site="none")
        assert entered.status == 200, entered
        return Client(self.port, {"cookie": entered.headers["set-cookie"].partition(";")[0]})


@contextmanager
def served(config: str, environ: Mapping[str, str], *, github: bool = False) -> Iterator[Served]:
    """Serve the dashboard of some settings on a free port."""
    clock, defects = Clock(), list[Exception]()
    runs, sessions = Runs(defects.append), Sessions(clock)
    site = Site(
        Operations(Scope(config, local=True, github=github), environ, Secrets.read(environ)), runs, defects.append
    )
    listener = listen(0)
    port = listener.getsockname()[1]
    with serving(application(site, sessions, FormSigner(clock), port), listener):
        yield Served(port, sessions, runs, clock, defects)
