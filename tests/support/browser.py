"""Debian's Chromium, without a screen, and what a test asks of a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

# Milliseconds: a busy machine may be slow, and only something that hangs takes this long.
PATIENCE = 60_000
SERIOUS = ("serious", "critical")
NARROW, WIDE, HEIGHT = 400, 1600, 900


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser. Skips the test where it is not installed (tests/packages.sh)."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        # Root has no sandbox in Chromium; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, address: str, *, width: int = WIDE, **words: Any) -> Iterator[Page]:
    """Open an address in a context of its own."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, **words)
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        page.goto(address)
        yield page
    finally:
        context.close()


def serious(page: Page) -> list[tuple[str, str]]:
    """The serious and critical findings of axe-core: the rule, and the first element that breaks it."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in SERIOUS]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def focused(page: Page) -> str:
    """The text of the element that has the focus, or its label."""
    told = page.evaluate(
        "(e => e.labels && e.labels.length ? e.labels[0].innerText.split('\\n')[0] : e.ariaLabel || e.innerText)"
        "(document.activeElement)"
    )
    return str(told).strip()


def tab_to(page: Page, name: str, key: Literal["Tab", "Shift+Tab"] = "Tab", most: int = 200) -> None:
    """Press Tab until the element of this name has the focus, as somebody without a mouse does."""
    for _ in range(most):
        page.keyboard.press(key)
        if focused(page) == name:
            return
    raise AssertionError(f"{name!r} cannot be reached with {key}")


def address_of(path: Path, place: str = "") -> str:
    return path.as_uri() + place
