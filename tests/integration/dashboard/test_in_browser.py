"""The server in a real browser: from *Now* to the record of a rollback, by keyboard, without scripts, for everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.dashboard.conftest import Shop
from tests.support.browser import NARROW, PATIENCE, chromium, opened, overflow, serious, tab_to

pytestmark = pytest.mark.xdist_group("browser")
EVIL = "<img src=x onerror=window.hit=1><script>window.hit=2</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def entrance(shop: Shop) -> str:
    return f"http://127.0.0.1:{shop.served.port}{shop.served.link}"


def wait_for(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE)


def test_a_rollback_by_keyboard_alone_shows_its_steps_and_becomes_a_record(browser: Browser, shop: Shop) -> None:
    with opened(browser, entrance(shop)) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        wait_for(page, "prod · shop")
        tab_to(page, "Roll back prod · shop …")
        page.keyboard.press("Enter")
        wait_for(page, "returns to")
        assert serious(page) == []
        tab_to(page, "Reason, in one line. It is recorded, and the team reads it.")
        page.keyboard.type(EVIL)
        page.keyboard.press("Tab")
        page.keyboard.type("prod")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="The record")).to_be_visible(timeout=PATIENCE)
        assert serious(page) == []
        tab_to(page, "The record")
        page.keyboard.press("Enter")
        wait_for(page, "Next steps")
        assert page.get_by_text(EVIL, exact=True).count() > 0
        assert page.evaluate("window.hit") is None
        assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{shop.served.port}"}
    assert shop.live == "b2"


def test_without_scripts_the_whole_way_is_the_same(browser: Browser, shop: Shop) -> None:
    with opened(browser, entrance(shop), java_script_enabled=False, width=NARROW) as page:
        page.get_by_role("link", name="Roll back prod · shop …").click()
        page.get_by_label("Reason").fill("logins fail since the deploy")
        page.get_by_label("Type the name").fill("prod")
        page.get_by_role("button").click()
        page.get_by_role("link", name="The record").click(timeout=PATIENCE)
        assert page.get_by_text("logins fail since the deploy").count() > 0
        page.get_by_role("link", name="History").click()
        page.get_by_label("Outcome").select_option(label="succeeded")
        page.get_by_role("button", name="Filter").click()
        assert page.locator("tbody.filtered tr").count() == 1
    assert shop.live == "b2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen_is_accessible_and_fits_a_telephone(browser: Browser, shop: Shop, scheme: str) -> None:
    with opened(browser, entrance(shop), width=NARROW, color_scheme=scheme) as page:
        wait_for(page, "prod · shop")
        for place in ("/", "/history", "/numbers", f"/rollback?{shop.query()}", f"/running?{shop.query()}"):
            page.goto(f"http://127.0.0.1:{shop.served.port}{place}")
            assert serious(page) == []
            assert overflow(page) == 0
