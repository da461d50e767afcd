"""The page of a large history in a browser, beside a page of one line in the same browser."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from rollback_ops.web.page_file import whole_page
from tests.bench.measures import table
from tests.support.browser import address_of, chromium, opened
from tests.support.records import record
from tests.support.snapshots import observed, snapshot, survey

# The page's policy allows no text that becomes a script, so nothing polls.
_PAINT = """new Promise(done => new PerformanceObserver(list => {
    for (const paint of list.getEntriesByName("first-contentful-paint")) done(paint.startTime)
}).observe({type: "paint", buffered: true}))"""


def page(here: Path, rounds: int, hosts: int = 200, records: int = 1000) -> str:
    """How large it is, how long it takes to be written, and how soon something is seen of it."""
    surveys = [survey(f"deploy@bot{n}.example.org", live="b2" if n % 2 else "b1") for n in range(hosts)]
    history = [record(id=f"20240102T030405Z-{n:08x}", environment=f"env{n % 9}") for n in range(records)]
    began = time.perf_counter()
    text = whole_page(snapshot(observed(*surveys), records=history))
    made = time.perf_counter() - began
    large, line = here / "large.html", here / "line.html"
    large.write_text(text)
    line.write_text("<!DOCTYPE html><title>one line</title><p>one line")
    with chromium() as browser:
        pairs = [(_paint(browser, line), _paint(browser, large)) for _ in range(rounds)]
    plain, ours = (median(each) for each in zip(*pairs, strict=True))
    row = [str(hosts), str(records), f"{len(text.encode()) / 1000:.0f}", f"{made:.2f}", f"{plain:.3f}", f"{ours:.3f}"]
    columns = ["hosts", "records", "size, kB", "to write it, s", "a page of one line is seen after, s", "this page, s"]
    return table("The page of the dashboard", columns, [row])


def _paint(browser: Browser, path: Path) -> float:
    """Seconds until the browser shows something of a page."""
    with opened(browser, address_of(path)) as shown:
        return float(shown.evaluate(_PAINT)) / 1000
