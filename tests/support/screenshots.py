"""Take the screenshots of `docs/dashboard.md`: ``make screenshots``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from rollback_ops.web.page_file import whole_page
from tests.support.browser import HEIGHT, address_of, chromium, opened
from tests.support.project import PROJECT
from tests.support.showcase import BUTTON, LAST, showcase

# Name, the part of the page, the section that is shown, width, and colours.
SHOTS = (
    ("now", "", "#now", 1200, "light"),
    ("history", "", "#history", 1200, "light"),
    ("record", f"#record-{LAST}", ".record:target", 1200, "dark"),
)


def take(browser: Browser, page_file: Path, directory: Path) -> None:
    """Write every screenshot into a directory."""
    for name, place, section, width, scheme in SHOTS:
        with opened(browser, address_of(page_file, place), width=width, color_scheme=scheme) as page:
            shown = page.locator(section).first
            shown.evaluate("element => element.scrollIntoView()")
            box = shown.bounding_box()
            assert box is not None
            room = min(box["height"], HEIGHT - box["y"])
            page.screenshot(path=directory / f"dashboard-{name}.png", clip={**box, "height": room})


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        page_file = Path(directory, "page.html")
        page_file.write_text(whole_page(showcase(), BUTTON))
        take(browser, page_file, PROJECT / "docs")


if __name__ == "__main__":
    main()
