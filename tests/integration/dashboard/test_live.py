"""Progress as it happens: of a rollback of this dashboard, and of one that somebody else started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.dashboard.conftest import RELEASES, Shop
from tests.support.browser import PATIENCE, chromium, opened, serious
from tests.support.dashboard import Client, served
from tests.support.lab.ground import wait_until
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK

pytestmark = pytest.mark.xdist_group("browser")
expect.set_options(timeout=PATIENCE)


@dataclass
class Slow(Shop):
    """A service that starts when the test says so."""

    folder: Path

    def is_starting(self) -> None:
        wait_until((self.folder / "began").exists, 60, "the start of the target")

    def go_on(self) -> None:
        (self.folder / "go").touch()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    with OwnService(tmp_path / "shop", RELEASES) as service:
        wait = f"touch {tmp_path}/began; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
        commands = {**service.commands, "start": f"{wait}; {service.start}"}
        limits = {"start": "5m", "total": "10m", "switch": "10m"}
        (tmp_path / "rollback.toml").write_text(service.toml(verify=QUICK, commands=commands, limits=limits))
        with served(str(tmp_path / "rollback.toml"), {"HOME": str(tmp_path)}) as running:
            made = Slow(service, running, tmp_path)
            try:
                yield made
            finally:
                made.go_on()
                wait_until(lambda: service.health() is not None, 60, "the service running")
                wait_until(lambda: not running.runs.going_on, 60, "the end of the runs")
            assert running.defects == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def click_through(page: Page, slow: Slow) -> None:
    page.goto(f"{slow.address}/rollback?{slow.query()}")
    page.get_by_label("Reason").fill("logins fail")
    page.get_by_label("Type the name").fill("prod")
    page.get_by_role("button").click()


def test_steps_appear_as_they_happen_and_then_the_record(browser: Browser, slow: Slow) -> None:
    with opened(browser, slow.address + slow.served.link) as page:
        expect(page).to_have_title("Now · rollbacks")
        click_through(page, slow)
        slow.is_starting()
        expect(page.locator("#told")).to_contain_text("stop")
        page.evaluate("window.same = true")
        assert serious(page) == []
        other = page.context.new_page()
        other.goto(slow.address)
        expect(other.get_by_text("Watch it").first).to_be_visible()
        other.goto(f"{slow.address}/running?{slow.query()}")
        expect(other.locator("#following")).to_contain_text("stop")
        assert serious(other) == []
        assert page.evaluate("window.same")
        slow.go_on()
        expect(page.get_by_role("link", name="The record")).to_be_visible()
        expect(other.get_by_text("No run holds these hosts now.")).to_be_visible()
        assert page.locator("#told").inner_text().count("stop") == 1


def test_what_somebody_else_started_is_followed_to_its_end(browser: Browser, slow: Slow) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "rollback_ops", "rollback", "prod", "--local", "--reason", "logins fail"],
        cwd=slow.folder,
        env={"HOME": str(slow.folder), "PATH": os.environ["PATH"], "USER": "ana"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        slow.is_starting()
        with opened(browser, slow.address + slow.served.link) as page:
            page.get_by_role("link", name="Watch it").click()
            expect(page.locator("#following")).to_contain_text("ana@")
            expect(page.locator("#following li").first).to_contain_text("stop")
            slow.go_on()
            expect(page.get_by_text("No run holds these hosts now.")).to_be_visible()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_events_go_on_where_a_browser_lost_them(slow: Slow) -> None:
    client = slow.served.browser()
    page = client.get(f"/rollback?{slow.query()}")
    client.post("/rollback", {"form": page.hidden("form"), "reason": "logins fail", "typed": "prod"})
    slow.is_starting()
    slow.go_on()
    every = client.get("/runs/1/events")
    assert every.headers["content-type"].startswith("text/event-stream")
    ids = numbers(every.text)
    assert ids == list(range(1, len(ids) + 1))
    assert every.text.endswith("event: done\ndata: \n\n")
    assert numbers(client.get("/runs/1/events", last_event_id="2").text) == ids[2:]
    for wrong in ("x", "-1", "²", "9" * 30, ""):
        assert numbers(client.get("/runs/1/events", last_event_id=wrong.encode().decode("latin-1")).text) == ids
    assert client.get("/runs/2/events").status == 204
    assert Client(slow.served.port).get("/runs/1/events").status == 403


def numbers(events: str) -> list[int]:
    return [int(line.removeprefix("id: ")) for line in events.splitlines() if line.startswith("id: ")]
