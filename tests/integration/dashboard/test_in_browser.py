"""Every screen of the server in a real browser. `tests/e2e/test_dashboard.py` goes the whole way there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.dashboard.conftest import Shop
from tests.support.browser import NARROW, PATIENCE, chromium, opened, overflow, serious

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def entrance(shop: Shop) -> str:
    return f"http://127.0.0.1:{shop.served.port}{shop.served.link}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen_is_accessible_and_fits_a_telephone(browser: Browser, shop: Shop, scheme: str) -> None:
    with opened(browser, entrance(shop), width=NARROW, color_scheme=scheme) as page:
        expect(page.get_by_text("prod · shop").first).to_be_visible(timeout=PATIENCE)
        for place in ("/", "/history", "/numbers", f"/rollback?{shop.query()}", f"/running?{shop.query()}"):
            page.goto(f"http://127.0.0.1:{shop.served.port}{place}")
            assert serious(page) == []
            assert overflow(page) == 0
