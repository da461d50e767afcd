"""The libraries come from the index that pip is configured with, at the same time; pip does what this cannot do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from tests.support.action_steps import Job
from tests.support.small_action import small_action

OURS = "rollback-ops"


class Index(ThreadingHTTPServer):
    """A package index over HTTP, or a proxy that leads to it. ``seen``: who asked for what, with which password."""

    daemon_threads = True

    def __init__(self, wheels: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels = wheels
        self.form = "json"
        self.files_at = ".."
        self.password = ""
        self.refused = ""
        # What our own requests get, in which encoding; and where they are sent to.
        self.garbage: tuple[bytes, str] | None = None
        self.moved_to = ""
        self.seen: list[tuple[str, str, str | None]] = []
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def address(self, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}/simple"

    def agents(self) -> set[str]:
        return {agent.partition("/")[0] for agent, _, _ in self.seen}

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        agent, given = self.headers["User-Agent"], self.headers.get("Authorization")
        given = given or self.headers.get("Proxy-Authorization")
        self.server.seen.append((agent, self.path, given))
        place = urlsplit(self.path).path.strip("/").split("/")
        if agent.startswith(self.server.refused or "nobody"):
            self._answer(403)
        elif self.server.password and given != self.server.password:
            self._answer(401)
        elif self.server.garbage and agent == OURS:
            self._answer(200, "text/html", *self.server.garbage)
        elif self.server.moved_to:
            self.send_response(302)
            self.send_header("Location", self.server.moved_to + urlsplit(self.path).path)
            self.end_headers()
        elif place[-1].endswith(".whl"):
            self._answer(200, "application/zip", (self.server.wheels / place[-1]).read_bytes())
        else:
            self._page(place[-1])

    def _page(self, project: str) -> None:
        names = sorted(path.name for path in self.server.wheels.glob(f"{project}-*.whl"))
        links = {name: f"{self.server.files_at}/files/{name}" for name in names}
        if not names:
            self._answer(404)
        elif self.server.form == "json":
            files = [{"filename": name, "url": url, "hashes": {}} for name, url in links.items()]
            page = json.dumps({"meta": {"api-version": "1.0"}, "name": project, "files": files}).encode()
            self._answer(200, "application/vnd.pypi.simple.v1+json", page)
        else:
            page = "".join(f"<a href='{url}#md5=0'>{name}</a>" for name, url in links.items()).encode()
            self._answer(200, "text/html", gzip.compress(page), "gzip")

    def _answer(self, status: int, kind: str = "text/plain", content: bytes = b"", encoding: str = "") -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Encoding", encoding)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def small(job: Job, tmp_path: Path) -> Job:
    """A job on a fresh runner with an action whose libraries are small."""
    job.action = small_action(tmp_path / "action", tmp_path / "locked")
    job.prepare()
    return job


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def index(small: Job, tmp_path: Path, closing: ExitStack) -> Index:
    served = Index(tmp_path / "locked")
    closing.callback(served.end)
    return served


def installed(job: Job, **environ: str) -> str:
    """Run the step, which makes the libraries, and return its standard error."""
    done = job.install(**environ)
    assert done.returncode == 0, done
    assert (job.libraries / "fabric").is_dir()
    return done.stderr


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@pytest.mark.parametrize("form", ["json", "html"])
def test_each_page_and_file_is_asked_for_once(small: Job, index: Index, form: str) -> None:
    index.form = form
    assert installed(small, PIP_INDEX_URL=index.address()) == ""
    assert index.agents() == {OURS}
    assert len(index.seen) == 2 * len(list(index.wheels.iterdir()))


def test_what_the_index_has_not_comes_from_the_extra_one(
    small: Job, index: Index, closing: ExitStack, tmp_path: Path
) -> None:
    first = Index(tmp_path / "first")
    closing.callback(first.end)
    first.wheels.mkdir()
    (index.wheels / "fabric-1.0-py3-none-any.whl").rename(first.wheels / "fabric-1.0-py3-none-any.whl")
    assert installed(small, PIP_INDEX_URL=first.address(), PIP_EXTRA_INDEX_URL=index.address()) == ""
    assert first.agents() == index.agents() == {OURS}


def test_only_the_index_sees_its_password(small: Job, index: Index, closing: ExitStack) -> None:
    files = Index(index.wheels)
    closing.callback(files.end)
    index.password, index.files_at = basic("me@here:pass:word"), files.address()
    assert installed(small, PIP_INDEX_URL=index.address("me%40here:pass%3Aword@")) == ""
    assert {password for _, _, password in files.seen} == {None}


def test_only_the_proxy_sees_its_password(small: Job, index: Index, closing: ExitStack) -> None:
    proxy = Index(index.wheels)
    closing.callback(proxy.end)
    proxy.moved_to = index.address().removesuffix("/simple")
    through = f"http://me:password@127.0.0.1:{proxy.port}"
    installed(small, PIP_INDEX_URL="http://index.invalid/simple", http_proxy=through, no_proxy="127.0.0.1")
    assert basic("me:password") in {password for _, _, password in proxy.seen}
    assert {password for _, _, password in index.seen} == {None}


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (gzip.compress(b"<a href='x'>x</a>")[:-9], "gzip"),
        (gzip.compress(b"<a href='x'>x</a>")[:10] + b"\xff" * 30, "gzip"),
        (b'{"message": "maintenance"}', ""),
        (b'{"files": [{"filename": "fabric-1.0-py3-none-any.whl", "url": 1}]}', ""),
        (b'{"files": null}', ""),
        (b"{" * 100_000, ""),
    ],
    ids=["cut", "damaged", "a message", "an address that is none", "no list", "too deep"],
)
def test_pip_goes_on_where_a_page_cannot_be_read(small: Job, index: Index, content: bytes, encoding: str) -> None:
    index.garbage = content, encoding
    assert "Traceback" not in installed(small, PIP_INDEX_URL=index.address())
    assert index.agents() == {OURS, "pip"}


def test_the_wheel_for_this_python_is_chosen_among_those_of_its_version(small: Job, index: Index) -> None:
    plain = index.wheels / "fabric-1.0-py3-none-any.whl"
    special = f"fabric-1.0-py{sys.version_info.major}{sys.version_info.minor}-none-any.whl"
    lock = small.action / "action/requirements.lock"
    for name in ("fabric-1.0-cp27-none-any.whl", "fabric-1.0-cp311-cp311-win_amd64.whl", special):
        shutil.copy(plain, index.wheels / name)
        with zipfile.ZipFile(index.wheels / name, "a") as wheel:
            wheel.writestr(f"of_{name}.py", "")
    hashes = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in index.wheels.glob("fabric-1.0-*.whl")]
    more = "".join(f" \\\n    --hash=sha256:{each}" for each in hashes)
    lock.write_text(f"fabric==1.0{more}\n" + lock.read_text().partition("\n")[2].partition("\n")[2])
    shutil.copy(plain, index.wheels / "fabric-1.0.1-py3-none-any.whl")
    assert installed(small, PIP_INDEX_URL=index.address()) == ""
    assert [wheel.name for wheel in Path(small.outputs["wheels"]).glob("fabric-*")] == [special]


def test_what_is_for_another_python_is_not_fetched(small: Job, index: Index) -> None:
    lock = small.action / "action/requirements.lock"
    other = f"other==1.0 ; python_full_version < '3.0' \\\n    --hash=sha256:{'0' * 64}\n"
    lock.write_text(lock.read_text() + other)
    installed(small, PIP_INDEX_URL=index.address())
    assert "other" not in "".join(path for _, path, _ in index.seen)


def test_pip_fetches_what_the_index_gives_only_to_pip(small: Job, index: Index) -> None:
    index.refused = OURS
    said = installed(small, PIP_INDEX_URL=index.address("me:password@"))
    assert "403" in said
    assert "password" not in said
    assert index.agents() == {OURS, "pip"}


def test_pip_is_told_of_no_content_that_is_not_locked(small: Job, index: Index) -> None:
    wheel = index.wheels / "fabric-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"evil")
    done = small.install(PIP_INDEX_URL=index.address())
    assert (done.returncode, small.libraries.exists()) == (1, False), done
    assert not (Path(small.outputs["wheels"]) / wheel.name).exists()


def test_a_proxy_leads_to_the_index(small: Job, index: Index) -> None:
    there = "http://index.invalid/simple"
    assert installed(small, PIP_INDEX_URL=there, PIP_PROXY=f"http://127.0.0.1:{index.port}") == ""
    assert all(path.startswith("http://index.invalid/") for _, path, _ in index.seen)


@pytest.mark.parametrize("of_client", [False, True], ids=["server only", "client too"])
def test_certificates_are_those_that_pip_is_told_of(
    small: Job, index: Index, tmp_path: Path, *, of_client: bool
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    told = {"PIP_CERT": str(certificate)}
    if of_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
        # One file with both, as pip wants it.
        both = tmp_path / "client.pem"
        both.write_text(key.read_text() + certificate.read_text())
        told["PIP_CLIENT_CERT"] = str(both)
    index.socket = context.wrap_socket(index.socket, server_side=True)
    assert installed(small, PIP_INDEX_URL=index.address().replace("http:", "https:"), **told) == ""
    assert index.agents() == {OURS}
