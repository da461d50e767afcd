"""Every screen of the server in a real browser. `tests/e2e/test_dashboard.py` goes the whole way there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.dashboard.conftest import Shop
from tests.support.browser import NARROW, PATIENCE, chromium, opened, overflow, serious, tab_to

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def entrance(shop: Shop) -> str:
    return f"http://127.0.0.1:{shop.served.port}{shop.served.link}"


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_every_screen_is_accessible_and_fits_a_telephone(browser: Browser, shop: Shop, scheme: str) -> None:
    with opened(browser, entrance(shop), width=NARROW, color_scheme=scheme) as page:
        expect(page.get_by_text("prod · shop").first).to_be_visible(timeout=PATIENCE)
        changes = [f"/change?{shop.query(action=action)}" for action in ("hold", "mark", "schedule", "resume")]
        for place in ("/", "/history", "/numbers", f"/rollback?{shop.query()}", f"/running?{shop.query()}", *changes):
            page.goto(f"http://127.0.0.1:{shop.served.port}{place}")
            assert serious(page) == []
            assert overflow(page) == 0


@pytest.mark.long
def test_the_keyboard_alone_sets_a_hold_without_scripts_and_lifts_it(browser: Browser, shop: Shop) -> None:
    with opened(browser, entrance(shop), java_script_enabled=False) as page:
        expect(page).to_have_title("Now · rollbacks", timeout=PATIENCE)
        tab_to(page, "More for prod · shop")
        page.keyboard.press("Enter")
        tab_to(page, "Hold deployments …")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Hold deployments", timeout=PATIENCE)
        page.get_by_label("Reason").focus()
        page.keyboard.type("the database is moved")
        page.keyboard.press("Tab")
        page.keyboard.type("prod")
        page.keyboard.press("Enter")
        expect(page.get_by_text("deployments are held until")).to_be_visible(timeout=PATIENCE)
        page.get_by_role("link", name="Now").click()
        page.get_by_role("link", name="Lift the holds of prod · shop …").click()
        page.get_by_label("Reason").fill("it is moved")
        page.get_by_label("Type the name").fill("prod")
        page.get_by_role("button").click()
        expect(page.get_by_text("all holds are lifted")).to_be_visible(timeout=PATIENCE)
