"""From *Now* to a rollback of a real host and its record, in a real browser: by keyboard alone, and without scripts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import NARROW, PATIENCE, chromium, opened, serious, tab_to
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import journal, quick

Deploy = Callable[..., Deployed]

pytestmark = pytest.mark.xdist_group("browser")
REASON = "logins fail <script>document.title='hit'</script>"
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def service(rollback_ops: RollbackOps, deploy: Deploy) -> Deployed:
    service = deploy(releases={"b1": "healthy", "b2": "healthy", "b3": "healthy"})
    rollback_ops.settings(quick(service, pattern="b*"))
    return service


@contextmanager
def serving(rollback_ops: RollbackOps) -> Iterator[str]:
    """Run the dashboard as a person does. Yields the link."""
    process = rollback_ops.start("dashboard", "--no-browser")
    assert process.stdout
    yield process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, ""), err


def recorded(service: Deployed) -> list[tuple[str, str]]:
    """The outcome and the reason of each record in the host's journal."""
    return [(line["outcome"], line["reason"]) for line in journal(service) if "schema_version" in line]


def test_the_keyboard_alone_leads_from_now_to_a_rollback_and_its_record(
    browser: Browser, rollback_ops: RollbackOps, service: Deployed
) -> None:
    with serving(rollback_ops) as link, opened(browser, link) as page:
        expect(page).to_have_title("Now · rollbacks")
        assert "enter" not in page.url
        tab_to(page, f"Roll back prod · {service.name} …")
        page.keyboard.press("Enter")
        expect(page.locator(".way")).to_have_text("leaves b3, returns to b2")
        assert serious(page) == []
        fill_by_keyboard(page)
        expect(page.get_by_role("link", name="The record")).to_be_visible()
        assert (service.live(), recorded(service)) == ("b2", [("succeeded", REASON)])
        assert "stop" in page.locator("#told").inner_text()
        assert serious(page) == []
        tab_to(page, "The record")
        page.keyboard.press("Enter")
        expect(page.get_by_text(REASON)).to_be_visible()
        assert page.evaluate("document.title") != "hit"
        tab_to(page, "Now", "Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".banner")).to_contain_text("Deploying b3 again will bring it back")


def fill_by_keyboard(page: Page) -> None:
    tab_to(page, "Reason, in one line. It is recorded, and the team reads it.")
    page.keyboard.type(REASON)
    page.keyboard.press("Tab")
    page.keyboard.type("prod")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.keyboard.press("Space")


@pytest.mark.long
def test_without_scripts_an_emergency_leads_to_its_record_in_a_narrow_window(
    browser: Browser, rollback_ops: RollbackOps, service: Deployed
) -> None:
    with serving(rollback_ops) as link, opened(browser, link, width=NARROW, java_script_enabled=False) as page:
        expect(page).to_have_title("Now · rollbacks")
        page.get_by_role("link", name="Roll back prod").click()
        page.get_by_role("link", name="Emergency rollback").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Emergency")
        page.get_by_label("Type the name").fill("prod")
        page.get_by_role("button").click()
        expect(page.get_by_role("link", name="The record")).to_be_visible()
        assert (service.live(), [outcome for outcome, _ in recorded(service)]) == ("b2", ["succeeded"])
        page.go_back()
        page.get_by_role("link", name="Look again").click()
        expect(page.locator(".way")).to_have_text("leaves b2, returns to b1")
