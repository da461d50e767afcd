"""The forms beside the rollback, as a browser without scripts uses them, and the log of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dashboard.conftest import RELEASES, SECRET, Shop
from tests.support.dashboard import Answer, Client, Served, served
from tests.support.lab.ground import wait_until
from tests.support.lab.toml import dump
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK

REASON = "the database is moved"
FIELDS = {"reason": REASON, "typed": "prod"}


def offered(shop: Shop, browser: Client, action: str, **more: str) -> Answer:
    page = browser.get(f"/change?{shop.query(action=action, **more)}")
    assert page.status == 200, page.text
    return page


def send(browser: Client, page: Answer, **fields: str) -> Answer:
    return browser.post("/change", {"form": page.hidden("form"), **FIELDS, **fields})


def ended(running: Served, browser: Client, started: Answer) -> Answer:
    assert started.status == 303, started.text
    run = running.runs.all[-1]
    wait_until(run.done.is_set, 60, "the end of the change")
    assert run.error == ""
    return browser.get(started.headers["location"])


def state(shop: Shop) -> Path:
    return shop.service.root / ".rollback"


def test_a_hold_is_set_shown_and_lifted(shop: Shop) -> None:
    browser = shop.served.browser()
    assert "no hold stands" in offered(shop, browser, "lift").text
    done = ended(shop.served, browser, send(browser, offered(shop, browser, "hold"), span="2h"))
    assert "held until" in done.text
    assert REASON in browser.get("/?again=1").text + browser.get("/").text
    lift = offered(shop, browser, "lift")
    assert REASON in lift.text
    ended(shop.served, browser, send(browser, lift))
    assert "no hold stands" in offered(shop, browser, "lift").text


def test_a_mark_says_what_a_release_is_and_is_taken_back(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser, "mark")
    assert [f'value="{name}"' in page.text for name in RELEASES] == [True] * 3
    ended(shop.served, browser, send(browser, page, release="b2", opinion="bad"))
    marked = offered(shop, browser, "mark")
    assert "b2 (bad)" in marked.text
    ended(shop.served, browser, send(browser, marked, release="b2", opinion="clear"))
    assert "b2 (bad)" not in offered(shop, browser, "mark").text


def test_a_scheduled_rollback_is_planned_as_it_was_shown_and_cancelled(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser, "schedule")
    assert all(word in page.text for word in ("leaves", "b3", "returns to", "b2"))
    at = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="minutes")
    done = ended(shop.served, browser, send(browser, page, at=at))
    assert all(word in done.text for word in ("b3 → b2", REASON))
    number = json.loads((state(shop) / "journal.jsonl").read_text().splitlines()[-1])["id"]
    cancel = offered(shop, browser, "cancel", number=number)
    assert "b3 → b2" in cancel.text
    ended(shop.served, browser, send(browser, cancel))
    assert "still to be carried out" in offered(shop, browser, "cancel", number=number).text


def test_a_schedule_whose_release_is_no_longer_live_plans_nothing(shop: Shop) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser, "schedule")
    shop.service.deploy("b4")
    at = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="minutes")
    started = send(browser, page, at=at)
    assert started.status == 303
    (run,) = shop.served.runs.all
    wait_until(run.done.is_set, 60, "the end of the change")
    assert (run.error != "", run.said) == (True, "")
    assert run.error.split("\n")[0] in browser.get("/runs/1").text.replace("&#39;", "'")


def test_where_nothing_is_interrupted_a_resume_changes_nothing(shop: Shop) -> None:
    browser = shop.served.browser()
    ended(shop.served, browser, send(browser, offered(shop, browser, "resume")))
    record = shop.served.runs.all[0].record
    assert record
    assert (record.outcome, shop.live) == ("nothing_to_do", "b3")


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("hold", {"typed": "test"}),
        ("hold", {"reason": ""}),
        ("hold", {"span": "for ever"}),
        ("mark", {"release": "b2", "opinion": "superb"}),
        ("mark", {"release": "", "opinion": "bad"}),
        ("schedule", {"at": "tomorrow"}),
        ("schedule", {"at": "2001-01-01T00:00Z"}),
        ("resume", {"typed": ""}),
    ],
)
def test_what_cannot_be_changes_nothing_and_keeps_what_was_typed(
    shop: Shop, action: str, fields: dict[str, str]
) -> None:
    browser = shop.served.browser()
    page = offered(shop, browser, action)
    answer = send(browser, page, **fields)
    assert (answer.status, shop.served.runs.all) == (422, ()), answer.text
    assert answer.hidden("form") != page.hidden("form")
    assert 'role="alert"' in answer.text
    assert fields.get("reason", REASON) in answer.text


def test_two_clicks_are_one_change_and_an_old_form_is_none(shop: Shop) -> None:
    browser = shop.served.browser()
    old, page = offered(shop, browser, "hold"), offered(shop, browser, "hold")
    first, second = send(browser, page), send(browser, page)
    assert (first.headers["location"], len(shop.served.runs.all)) == (second.headers["location"], 1)
    ended(shop.served, browser, first)
    shop.served.clock.now += 601
    assert (send(browser, old).status, len(shop.served.runs.all)) == (422, 1)


def test_a_form_goes_only_where_its_page_sends_it(shop: Shop) -> None:
    browser = shop.served.browser()
    hold = offered(shop, browser, "hold").hidden("form")
    rollback = browser.get(f"/rollback?{shop.query()}").hidden("form")
    assert browser.post("/rollback", {"form": hold, **FIELDS}).status == 403
    assert browser.post("/change", {"form": rollback, **FIELDS}).status == 403
    assert browser.post("/change", {"form": f"{hold}x", **FIELDS}).status == 403
    assert browser.post("/change", {"form": hold, **FIELDS}, origin="http://evil.example").status == 403
    for query in ("", shop.query(action="drop"), shop.query(action="rollback"), "action=hold"):
        assert browser.get(f"/change?{query}").status == 404
    assert shop.served.stranger().get(f"/change?{shop.query(action='hold')}").status == 403
    assert shop.served.runs.all == ()


def test_the_log_of_a_run_comes_from_the_hosts_without_secrets(shop: Shop) -> None:
    browser = shop.served.browser()
    page = browser.get(f"/rollback?{shop.query()}")
    fields = {"form": page.hidden("form"), "reason": f"{REASON} {SECRET}", "typed": "prod"}
    ended(shop.served, browser, browser.post("/rollback", fields))
    record = shop.served.runs.all[0].record
    assert record
    assert f"/record/log?id={record.id}" in browser.get(f"/record?id={record.id}").text
    log = browser.get(f"/record/log?id={record.id}")
    assert (log.status, SECRET in log.text) == (200, False)
    assert [word in log.text for word in ("intent", "step stop", "step switch", "b3 → b2")] == [True] * 4
    assert browser.get("/record/log?id=x").status == 404


class Group:
    """The services api and web on this machine, as the group shop, and their dashboard."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.services = [stack.enter_context(OwnService(folder / name, RELEASES)) for name in ("api", "web")]
        sections = {one.root.name: self._of(one) for one in self.services}
        groups = {"shop": {"services": ["api", "web"]}}
        file = folder / "rollback.toml"
        file.write_text(dump({"services": sections, "groups": groups, "environments": {"prod": {}}}))
        self.served = stack.enter_context(served(str(file), {"HOME": str(folder)}))

    def _of(self, service: OwnService) -> dict[str, Any]:
        checks = {"health": service.health_check}
        how = {"manager": "custom", "commands": service.commands}
        return {"root": str(service.root), "verify": QUICK, "checks": checks, **how}

    @property
    def lives(self) -> list[str]:
        return [(one.root / "current").resolve().name for one in self.services]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    with ExitStack() as stack:
        made = Group(tmp_path, stack)
        yield made
        assert made.served.defects == []


def test_a_group_goes_where_its_page_says_or_nowhere(group: Group) -> None:
    browser, address = group.served.browser(), "/change?action=rollback&environment=prod&group=shop"
    now = browser.get("/")
    assert address.replace("&", "&amp;") in now.text
    old = browser.get(address)
    assert all(word in old.text for word in ("web, then api", "b3", "b2", "Commits that leave", "files that change"))
    assert browser.get(f"{address}&emergency=1").hidden("form")
    done = ended(group.served, browser, send(browser, browser.get(address)))
    record = group.served.runs.all[0].record
    assert record
    assert (group.lives, record.outcome, record.service) == (["b2", "b2"], "succeeded", "shop")
    assert record.id in done.text
    assert send(browser, old).status == 303
    run = group.served.runs.all[1]
    wait_until(run.done.is_set, 60, "the end of the second run")
    assert (group.lives, run.record, run.error != "") == (["b2", "b2"], None, True)
