"""The page file in a real browser: nothing of a record runs, and the page can be used by anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from rollback_ops.web.page_file import whole_page
from tests.bench.page import costs, large_page
from tests.support.browser import HEIGHT, NARROW, WIDE, address_of, chromium, opened, overflow, serious, tab_to
from tests.support.hostile_records import ATTACKS, hostile
from tests.support.showcase import BUTTON, LAST, showcase
from tests.support.snapshots import observed, snapshot, survey

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something on every screen."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(whole_page(showcase(10), BUTTON))
    return path


@pytest.mark.parametrize(
    "bypass_csp",
    [pytest.param(False, id="with its policy", marks=pytest.mark.long), pytest.param(True, id="without its policy")],
)
def test_markup_in_every_field_runs_nothing_and_fetches_nothing(
    browser: Browser, tmp_path: Path, bypass_csp: bool
) -> None:
    path = tmp_path / "page.html"
    attacks = [hostile(number) for number in range(len(ATTACKS))]
    path.write_text(whole_page(snapshot(observed(survey()), records=attacks), BUTTON))
    asked: list[str] = []
    dialogs: list[str] = []
    with opened(browser, "about:blank", bypass_csp=bypass_csp) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.goto(address_of(path))
        page.wait_for_load_state("networkidle")
        for element in page.locator("summary, [tabindex]").all():
            element.dispatch_event("focus")
        assert page.evaluate("window.hit") is None
        assert page.url == address_of(path)
        assert page.locator("script, img, iframe, base, link").count() == 0
        assert page.get_by_text(ATTACKS[0].format(0, 0)).count() > 5
    assert asked == [address_of(path)]
    assert dialogs == []


def test_of_a_long_history_only_what_is_seen_first_is_laid_out(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(large_page())
    assert path.stat().st_size < 1_000_000
    assert costs(browser, path)["LayoutObjects"] < 5_000
    with opened(browser, address_of(path, "#history")) as page:
        last = page.locator("tbody.filtered tr").last
        last.scroll_into_view_if_needed()
        assert last.evaluate("e => e.getBoundingClientRect().height > 0")
        page.get_by_label("Environment").select_option(label="env8")
        # The style of each row would be computed anew for `:visible`.
        rows = page.locator("tbody.filtered tr")
        assert rows.evaluate_all("rows => rows.filter(row => row.checkVisibility()).length") == 1000 // 9


def test_without_a_script_the_history_is_filtered_and_a_record_is_opened(browser: Browser, page_file: Path) -> None:
    with opened(browser, address_of(page_file), java_script_enabled=False) as page:
        rows = page.locator("tbody.filtered tr:visible")
        every = rows.count()
        page.get_by_label("Environment").select_option(label="test")
        of_test = rows.count()
        assert set(rows.locator("td:nth-child(2)").all_inner_texts()) == {"test · web", "test · jobs"}
        page.get_by_label("Outcome").select_option(label="verification failed")
        both = rows.count()
        page.get_by_label("Environment").select_option(label="all")
        assert both < rows.count() < of_test < every
        assert page.locator(".record:visible").count() == 0
        page.get_by_role("link", name="Last record").first.click()
        assert page.get_by_role("heading", name="Hosts", exact=True).is_visible()
        assert page.locator(".screen:visible").count() == 0
        page.get_by_role("link", name="Now").click()
        assert page.get_by_role("heading", name="Now", exact=True).is_visible()


def test_the_keyboard_alone_reaches_the_filter_the_records_and_the_button(browser: Browser, page_file: Path) -> None:
    with opened(browser, address_of(page_file)) as page:
        page.keyboard.press("Tab")
        assert page.get_by_role("link", name="Skip to the content").evaluate("e => e === document.activeElement")
        tab_to(page, "Roll back prod · web on GitHub …")
        assert page.evaluate("document.activeElement.href") == BUTTON
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab_to(page, "Environment")
        page.keyboard.type("test")
        shown = page.locator("tbody.filtered tr:visible td:nth-child(2)").all_inner_texts()
        assert {each.split()[0] for each in shown} == {"test"}
        tab_to(page, "Last record", "Shift+Tab")
        page.keyboard.press("Enter")
        assert page.locator(".record:visible").count() == 1


@pytest.mark.parametrize(
    "place", [pytest.param("", id="screens"), pytest.param(f"#record-{LAST}", id="record", marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    ("scheme", "width"), [pytest.param("light", NARROW, marks=pytest.mark.long), ("dark", WIDE)], ids=["light", "dark"]
)
def test_it_is_accessible_and_fits_narrow_and_wide(
    browser: Browser, page_file: Path, place: str, scheme: Literal["light", "dark"], width: int
) -> None:
    with opened(browser, address_of(page_file, place), width=width, color_scheme=scheme) as page:
        assert serious(page) == []
        assert overflow(page) == 0
        page.set_viewport_size({"width": WIDE if width == NARROW else NARROW, "height": HEIGHT})
        assert overflow(page) == 0
