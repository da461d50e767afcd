"""From *Now* to the record of a rollback, as a browser without scripts goes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.dashboard.conftest import SECRET, Shop
from tests.support.dashboard import Answer, Client, served
from tests.support.lab.ground import wait_until

REASON = "logins fail since the deploy"


def offered(shop: Shop, browser: Client, **more: str) -> Answer:
    page = browser.get(f"/rollback?{shop.query(**more)}")
    assert page.status == 200, page.text
    return page


def send(browser: Client, page: Answer, reason: str = REASON, typed: str = "prod") -> Answer:
    return browser.post("/rollback", {"form": page.hidden("form"), "reason": reason, "typed": typed})


def ended(shop: Shop, browser: Client, started: Answer) -> Answer:
    assert started.status == 303, started.text
    (run,) = shop.served.runs.all
    wait_until(run.done.is_set, 60, "the end of the run")
    return browser.get(started.headers["location"])


def test_a_rollback_goes_where_the_preview_said_and_its_page_becomes_the_record(shop: Shop) -> None:
    browser = shop.served.browser()
    now = browser.get("/")
    assert re.search(r'href="/rollback\?environment=prod&amp;service=shop"', now.text)
    page = offered(shop, browser)
    assert all(word in page.text for word in ("leaves", "b3", "returns to", "b2"))
    done = ended(shop, browser, send(browser, page))
    record = shop.served.runs.all[0].record
    assert record
    assert (shop.live, record.outcome, record.reason, record.trigger) == ("b2", "succeeded", REASON, "manual")
    assert record.id in done.text
    assert browser.get(f"/record?id={record.id}").status == 200
    assert record.id in browser.get("/history").text


def test_an_emergency_needs_the_name_only(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser, emergency="1")
    assert 'name="reason"' not in page.text
    ended(shop, browser, browser.post("/rollback", {"form": page.hidden("form"), "typed": "prod"}))
    record = shop.served.runs.all[0].record
    assert record
    assert (shop.live, record.outcome, record.mode) == ("b2", "succeeded", "emergency")


def test_two_clicks_are_one_rollback(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser)
    first, second = send(browser, page), send(browser, page)
    assert first.headers["location"] == second.headers["location"]
    ended(shop, browser, first)
    third = send(browser, page)
    assert (third.headers["location"], shop.live, len(shop.served.runs.all)) == (first.headers["location"], "b2", 1)


def test_a_form_ten_minutes_old_does_nothing_and_shows_what_would_be_done_now(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser)
    shop.served.clock.now += 601
    answer = send(browser, page)
    assert (answer.status, shop.live, len(shop.served.runs.all)) == (422, "b3", 0)
    assert REASON in answer.text
    ended(shop, browser, send(browser, answer))
    assert shop.live == "b2"


def test_a_form_whose_release_is_no_longer_live_does_nothing(shop: Shop) -> None:
    browser = shop.served.browser()
    old, page = offered(shop, browser), offered(shop, browser)
    ended(shop, browser, send(browser, page))
    again = send(browser, old)
    assert again.status == 303
    wait_until(lambda: not shop.served.runs.going_on, 60, "the end of the second run")
    record = shop.served.runs.all[1].record
    assert record
    assert (record.outcome, shop.live) == ("nothing_to_do", "b2")


def test_a_wrong_name_or_no_reason_does_nothing_and_keeps_what_was_typed(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser)
    for answer in (send(browser, page, typed="test"), send(browser, page, typed=""), send(browser, page, reason="")):
        assert (answer.status, shop.live, len(shop.served.runs.all)) == (422, "b3", 0)
        assert answer.hidden("form") != page.hidden("form")
    assert REASON in send(browser, page, typed="Prod").text


def test_a_form_that_was_changed_or_made_up_is_refused(shop: Shop) -> None:
    browser = shop.served.browser()
    signed = offered(shop, browser).hidden("form")
    body, _, mac = signed.partition(".")
    for forged in ("", "x", f"{body}.", f"{body}.{mac[:-1]}", f"{body[:-4]}AAAA.{mac}", f"é{body}.{mac}", f".{mac}"):
        assert browser.post("/rollback", {"form": forged, "reason": REASON, "typed": "prod"}).status == 403
    assert (
        browser.send(
            "POST",
            "/rollback",
            f"form={signed}&form={signed}&typed=prod&reason=because",
            content_type="application/x-www-form-urlencoded",
            sec_fetch_site="same-origin",
        ).status
        == 403
    )
    assert (shop.live, shop.served.runs.all) == ("b3", ())


def test_no_page_has_a_secret_and_pages_of_nothing_explain_themselves(shop: Shop) -> None:
    browser = shop.served.browser()
    session = browser.usual["cookie"].partition("=")[2]
    page = offered(shop, browser)
    done = ended(shop, browser, send(browser, page, reason=f"{REASON} {SECRET}"))
    pages = [browser.get(path) for path in ("/", "/history", "/numbers", f"/running?{shop.query()}")]
    for each in (page, done, *pages):
        assert not any(secret in each.text for secret in (SECRET, session, shop.served.sessions.link_token))
    assert [each.status for each in pages] == [200] * 4
    assert [browser.get(path).status for path in ("/nothing", "/record?id=x", "/runs/9")] == [404] * 3
    assert browser.get("/rollback?environment=nowhere&service=shop").status == 503


def test_where_github_is_the_source_and_cannot_be_asked_a_rollback_still_works(shop: Shop, tmp_path: Path) -> None:
    config = str(tmp_path / "rollback.toml")
    with served(config, {"HOME": str(tmp_path)}, github=True) as other:
        browser = other.browser()
        assert [browser.get(path).status for path in ("/", "/history", "/history?source=github")] == [503] * 3
        assert "GITHUB_REPOSITORY" in browser.get("/").text
        page = browser.get(f"/rollback?{shop.query()}")
        assert send(browser, page).status == 303
        wait_until(lambda: not other.runs.going_on, 60, "the end of the run")
    assert shop.live == "b2"
