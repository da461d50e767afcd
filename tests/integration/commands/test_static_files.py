"""A static site, with no manager: the link is switched, and the checks say whether the pages are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.toml import dump
from tests.support.scene import PATIENT, WHY


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server of the files in current. Of three releases, the live one, 3, and the first lack the page."""
    root = tmp_path / "site"
    for name in ("1", "2", "3"):
        (root / "releases" / name).mkdir(parents=True)
        (root / "releases" / name / ("index.html" if name == "2" else "other.html")).write_text(f"release {name}")
    (root / "current").symlink_to("releases/3")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root / "current"))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()
        thread.join()


def settings(directory: Path, **service: object) -> str:
    section = {"root": str(directory / "site"), "manager": "none", "order": "natural", "verify": PATIENT, **service}
    return dump({"services": {"site": section}, "environments": {"prod": {}}})


def test_only_the_link_is_switched_and_the_check_judges(tmp_path: Path, site: str) -> None:
    rollback_ops = RollbackOps(tmp_path)
    page = {"kind": "http", "url": site, "text": "{release}", "fail_fast": True}
    rollback_ops.settings(settings(tmp_path, checks={"page": page}))

    done = rollback_ops("rollback", "prod", "--local", *WHY, "--json")
    assert (done.code, done.document["outcome"]) == (0, "succeeded"), done.err
    assert (tmp_path / "site" / "current").readlink() == Path("releases/2")
    (host,) = done.document["hosts"]
    assert host["downtime_seconds"] is None

    worse = rollback_ops("rollback", "prod", "--local", "--to", "1", *WHY, "--json")
    assert (worse.code, worse.document["outcome"]) == (2, "verification_failed"), worse.err


def test_without_a_check_nothing_shows_whether_it_works_so_it_is_refused(tmp_path: Path, site: str) -> None:
    rollback_ops = RollbackOps(tmp_path)
    early = {"kind": "command", "run": "test -e index.html", "phase": "before"}
    for checks in ({}, {"early": early}, {"process": {"kind": "process"}}):
        rollback_ops.settings(settings(tmp_path, checks=checks))
        refused = rollback_ops("rollback", "prod", "--local", *WHY)
        assert (refused.code, "checks" in refused.err) == (64, True), refused.err
