"""The host and the settings of docs/tutorial.md, for its test and for ``make outputs``."""

from __future__ import annotations

from pathlib import Path

from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.pages import blocks
from tests.support.project import PROJECT

PAGE = PROJECT / "docs/tutorial.md"
HOST = "hello.example.org"
HEALTH = "curl -s http://localhost:8000/health"


def lay_out(host: LabHost) -> None:
    """Start the service of the page: release 3 is live, and broken."""
    _, service, _ = blocks(PAGE, "sh")
    host.run(service)
    wait_until(lambda: "oops" in host.run(f"{HEALTH} || :").stdout, 60, "the service answering")


def add_the_check(settings: Path) -> None:
    """Add the check that the page adds to the settings that ``init`` wrote."""
    *_, check = blocks(PAGE, "sh")
    settings.write_text(settings.read_text() + check.split("END'\n")[1].removesuffix("END\n"))
