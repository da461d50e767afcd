"""Pages of somebody else, in the browser in which the person has the dashboard open."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.dashboard.conftest import Shop
from tests.support.browser import PATIENCE, chromium, opened
from tests.support.http_server import serving

pytestmark = pytest.mark.xdist_group("browser")
expect.set_options(timeout=PATIENCE)
# What it tries, and what it writes down of it. It even knows a form that a page of the dashboard has.
PAGE = """<!doctype html><title>evil</title>
<form method="post" action="{ours}/rollback" target="frame">
<input name="form" value="{signed}"><input name="typed" value="prod"><input name="reason" value="because"></form>
<iframe name="frame"></iframe><iframe src="{ours}/"></iframe><img src="{ours}/enter/{token}" alt="">
<script>
const got = [];
window.tried = (async () => {{
  document.forms[0].submit();
  for (const mode of ["cors", "no-cors"]) {{
    for (const [path, method] of [["/", "GET"], ["/rollback", "POST"], ["/enter/{token}", "GET"]]) {{
      const body = method === "POST" ? new URLSearchParams(new FormData(document.forms[0])) : undefined;
      try {{
        const answer = await fetch("{ours}" + path, {{ method, mode, body, credentials: "include" }});
        if (answer.type !== "opaque") got.push(path + await answer.text());
      }} catch {{ }}
    }}
  }}
  await new Promise(done => {{
    const source = new EventSource("{ours}/runs/1/events", {{ withCredentials: true }});
    source.onmessage = event => got.push(event.data);
    source.onerror = () => {{ source.close(); done(); }};
  }});
  return got;
}})();
</script>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def evil(shop: Shop, signed: str) -> Iterator[int]:
    ours = f"http://127.0.0.1:{shop.served.port}"
    text = PAGE.format(ours=ours, signed=html.escape(signed), token=shop.served.sessions.link_token)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    with serving((head + text).encode()) as server:
        yield server.port


def signed_form(page: Page, shop: Shop) -> str:
    page.goto(f"http://127.0.0.1:{shop.served.port}/rollback?{shop.query()}")
    return page.locator('input[name="form"]').input_value()


# Another port of the same name is the same site: there, the browser sends the cookie.
@pytest.mark.parametrize("name", ["127.0.0.1", pytest.param("localhost", marks=pytest.mark.long)])
def test_a_page_of_another_origin_reads_nothing_and_starts_nothing(browser: Browser, shop: Shop, name: str) -> None:
    with opened(browser, f"http://127.0.0.1:{shop.served.port}{shop.served.link}") as page:
        expect(page).to_have_title("Now · rollbacks")
        with evil(shop, signed_form(page, shop)) as port:
            page.goto(f"http://{name}:{port}/")
            assert page.evaluate("window.tried") == []
            assert not [frame for frame in page.frames[1:] if "rollback-ops" in frame.content()]
        assert (shop.live, shop.served.runs.all) == ("b3", ())
        # Nothing of that has ended the person's session.
        page.goto(f"http://127.0.0.1:{shop.served.port}/")
        expect(page).to_have_title("Now · rollbacks")


def test_a_page_of_another_origin_does_not_use_the_link_up(browser: Browser, shop: Shop) -> None:
    link = f"http://127.0.0.1:{shop.served.port}{shop.served.link}"
    with opened(browser, "about:blank") as page, evil(shop, "") as port:
        page.goto(f"http://localhost:{port}/")
        assert page.evaluate("window.tried") == []
        page.goto(link)
        expect(page).to_have_title("Now · rollbacks")


def test_under_another_name_the_browser_gets_no_page(browser: Browser, shop: Shop) -> None:
    """The end of DNS rebinding: a name of somebody else leads to our address."""
    with opened(browser, f"http://127.0.0.1:{shop.served.port}{shop.served.link}") as page:
        expect(page).to_have_title("Now · rollbacks")
        answer = page.goto(f"http://rebound.localhost:{shop.served.port}/")
        assert answer
        assert answer.status == 421


def test_a_link_from_elsewhere_does_not_carry_the_session(browser: Browser, shop: Shop) -> None:
    with opened(browser, f"http://127.0.0.1:{shop.served.port}{shop.served.link}") as page:
        expect(page).to_have_title("Now · rollbacks")
        with evil(shop, "") as port:
            page.goto(f"http://localhost:{port}/")
            with page.expect_response(lambda answer: answer.url.endswith("/history")) as left:
                page.evaluate(f"location.href = 'http://127.0.0.1:{shop.served.port}/history'")
            assert left.value.status == 403
