"""The page file in a real browser: nothing of a record runs, and the page can be used by anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from rollback_ops.core.model import Hold, Lease
from rollback_ops.web.page_file import whole_page
from tests.support.browser import NARROW, WIDE, address_of, chromium, opened, overflow, serious, tab_to
from tests.support.hostile_records import ATTACKS, hostile
from tests.support.records import record
from tests.support.snapshots import NOW, observed, snapshot, survey

pytestmark = pytest.mark.xdist_group("browser")
BUTTON = "https://github.com/acme/rosey/actions/workflows/rollback.yml"
RUN = "20240102T030405Z-0123abcd"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something on every screen."""
    busy = survey("deploy@bot2", lease=Lease("run-1", "bob", since="11:00"), warnings=("it is slow",))
    held = survey(holds=(Hold("run-4", "dave", "look first", NOW - 9, NOW + 9999),))
    evidence = {"check": "errors", "source": "prometheus", "baseline": "control", "verdict": "worse", "alpha": 0.01,
                "needed": 100, "e_worse": 120, "e_not_worse": 0.1}  # fmt: skip
    records = [
        record(evidence=[evidence], waves=[{"number": 1, "hosts": ["deploy@bot1"], "outcome": "succeeded"}]),
        record(id="of-test", environment="test", outcome="verification_failed", trigger="log-error"),
        record(id="a-drill", trigger="drill"),
    ]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(whole_page(snapshot(observed(held, busy, lost=["deploy@bot3"]), records=records), BUTTON))
    return path


@pytest.mark.parametrize("bypass_csp", [False, True], ids=["with its policy", "without its policy"])
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


def test_without_a_script_the_history_is_filtered_and_a_record_is_opened(browser: Browser, page_file: Path) -> None:
    with opened(browser, address_of(page_file), java_script_enabled=False) as page:
        rows = page.locator("tbody.filtered tr:visible")
        every = rows.count()
        page.get_by_label("Environment").select_option(label="test")
        assert rows.count() == 1
        page.get_by_label("Outcome").select_option(label="succeeded")
        assert rows.count() == 0
        page.get_by_label("Environment").select_option(label="all")
        assert 0 < rows.count() < every
        assert page.locator(".record:visible").count() == 0
        page.get_by_role("link", name="Last record").click()
        assert page.get_by_role("heading", name="Hosts", exact=True).is_visible()
        assert page.locator(".screen:visible").count() == 0
        page.get_by_role("link", name="Now").click()
        assert page.get_by_role("heading", name="Now", exact=True).is_visible()


def test_the_keyboard_alone_reaches_the_filter_the_records_and_the_button(browser: Browser, page_file: Path) -> None:
    with opened(browser, address_of(page_file)) as page:
        page.keyboard.press("Tab")
        assert page.get_by_role("link", name="Skip to the content").evaluate("e => e === document.activeElement")
        tab_to(page, "Roll back prod · bot on GitHub …")
        assert page.evaluate("document.activeElement.href") == BUTTON
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab_to(page, "Environment")
        page.keyboard.type("test")
        assert page.locator("tbody.filtered tr:visible").count() == 1
        tab_to(page, "Last record", "Shift+Tab")
        page.keyboard.press("Enter")
        assert page.locator(".record:visible").count() == 1


@pytest.mark.parametrize("place", ["", f"#record-{RUN}"], ids=["screens", "record"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits(browser: Browser, page_file: Path, scheme: str, width: int, place: str) -> None:
    with opened(browser, address_of(page_file, place), width=width, color_scheme=scheme) as page:
        assert serious(page) == []
        assert overflow(page) == 0
