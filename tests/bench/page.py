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
    began = time.perf_counter()
    text = large_page(hosts, records)
    made = time.perf_counter() - began
    large, line = here / "large.html", here / "line.html"
    large.write_text(text)
    line.write_text("<!DOCTYPE html><title>one line</title><p>one line")
    with chromium() as browser:
        pairs = [(_paint(browser, line), _paint(browser, large)) for _ in range(rounds)]
        work = [costs(browser, large) for _ in range(rounds)]
    plain, ours = (median(each) for each in zip(*pairs, strict=True))
    row = [str(hosts), str(records), f"{len(text.encode()) / 1000:.0f}", f"{made:.2f}", f"{plain:.3f}", f"{ours:.3f}"]
    row += [f"{work[0]['Nodes']:.0f}", f"{work[0]['LayoutObjects']:.0f}"]
    row += [f"{median(each[name] for each in work):.3f}" for name in ("TaskDuration", "LayoutDuration")]
    columns = ["hosts", "records", "size, kB", "to write it, s", "a page of one line is seen after, s", "this page, s"]
    columns += ["nodes", "laid out", "the browser's CPU time, s", "of it for the layout, s"]
    return table("The page of the dashboard", columns, [row])


def costs(browser: Browser, path: Path) -> dict[str, float]:
    """The browser's cost of showing a page, in counts and seconds of CPU time. Load changes neither."""
    with opened(browser, "about:blank") as shown:
        session = shown.context.new_cdp_session(shown)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        shown.goto(address_of(path))
        shown.evaluate(_PAINT)
        return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def large_page(hosts: int = 200, records: int = 1000) -> str:
    """Return the page of a large fleet with a long history."""
    surveys = [survey(f"deploy@bot{n}.example.org", live="b2" if n % 2 else "b1") for n in range(hosts)]
    history = [record(id=f"20240102T030405Z-{n:08x}", environment=f"env{n % 9}") for n in range(records)]
    return whole_page(snapshot(observed(*surveys), records=history))


def _paint(browser: Browser, path: Path) -> float:
    """Seconds until the browser shows something of a page."""
    with opened(browser, address_of(path)) as shown:
        return float(shown.evaluate(_PAINT)) / 1000
