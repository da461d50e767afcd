"""The summary of a job: the facts in it, that hostile text stays text, and that it fits."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings

from rollback_ops.cli.actions.summary import notice, summary
from rollback_ops.cli.output import text
from rollback_ops.core.record import HostRecord, Outcome, Record
from rollback_ops.integrations.webhook.message import message_of
from tests.support.any_record import records
from tests.support.markdown_reader import headings, kinds, links, spans, tokens
from tests.support.records import MIXED, USUAL, group, record

REPOSITORY = "https://github.com/o/r"
OLD, NEW = "ab" * 20, "cd" * 20
HOST = USUAL["hosts"][0]
EVIL = (
    "$(id) `whoami` ::set-output name=x::y </details><img src=x onerror=alert(1)> [x](http://evil) ![](http://evil) "
    "<!channel> @here @org/team #12 GH-12 www.evil.example | a | b |\n# heading\n```\n::error::x\n🚑\u202e"
    + "x"
    * 5_000
)
TITLES = {"Hosts", "Checks", "Metrics", "Duration", "Warnings", "Not chosen", "Next steps"}

any_record = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def committed(**words: Any) -> Record:
    ends = {"from": {"release": "b3", "revision": NEW}, "to": {"release": "b2", "revision": OLD}}
    return record(**ends, run_url=f"{REPOSITORY}/actions/runs/1/attempts/1", **words)


def hostile(text: str) -> Record:
    ref = {"release": text, "revision": text}
    check = {"name": text, "kind": text, "outcome": "failed", "detail": text}
    step = {"name": text, "seconds": 1.0, "outcome": "ok", "detail": text}
    host = {
        "host": text,
        "outcome": "failed",
        "from": ref,
        "to": ref,
        "detail": text,
        "checks": [check],
        "steps": [step],
    }
    words = dict.fromkeys(("service", "environment", "reason", "actor", "run_url", "id"), text)
    rejected, deployment = [{"release": text, "why": text}], {"id": 1, "url": text}
    return record(
        **words, **{"from": ref, "to": ref}, hosts=[host], warnings=[text], rejected=rejected, deployment=deployment
    )


def test_the_page_has_all_facts_of_the_record() -> None:
    page = summary(committed(), REPOSITORY)
    for words in (
        "## 🔄 Rollback executed: `bot`, `prod`",
        "- **Environment:** `prod`",
        "- **Time:** 2024-01-02 03:04:05 UTC",
        "- **Initiated by:** `alice`",
        "- **Reason:** `logins fail`",
        f"- **From:** `b3`, commit [`{NEW[:12]}`]({REPOSITORY}/commit/{NEW})",
        f"- **To:** `b2`, commit [`{OLD[:12]}`]({REPOSITORY}/commit/{OLD})",
        f"({REPOSITORY}/compare/{OLD}...{NEW})",
        "- **Duration:** 1.5 seconds",
        "- **Verification:** ✅ Passed (1 check)",
        f"- **Run:** [`20240102T030405Z-0123abcd`]({REPOSITORY}/actions/runs/1/attempts/1)",
        "**Status:** ✅ ",
        "| `deploy@bot1` | ✅ | succeeded | `b3` → `b2` | 0.20 s |  |",
        "| `health` | ✅ passed | `deploy@bot1` | 0.50 s | `status 200` |",
        "- `beware`",
    ):
        assert words in page
    assert "it is the live one" not in page, "it was left"
    assert re.findall(r"^(\d)\. \w", page, re.MULTILINE) == ["1", "2", "3", "4"], "the next steps"


def test_a_target_that_was_only_tried_is_no_release_that_is_live() -> None:
    back = {**HOST, "outcome": "restored", "to": HOST["from"]}
    page = summary(
        committed().model_copy(update={"outcome": "restored", "hosts": record(hosts=[back]).hosts}), REPOSITORY
    )
    assert f"- **Tried:** `b2`, commit [`{OLD[:12]}`]({REPOSITORY}/commit/{OLD})" in page
    assert "/compare/" not in page
    assert "- `b3`: `it is the live one`" in page


def test_a_check_that_could_not_be_run_did_not_fail() -> None:
    unknown = {**HOST, "outcome": "health_unknown", "checks": [{"name": "log", "kind": "logs", "outcome": "unknown"}]}
    assert "- **Verification:** ❔ Unknown: `log on deploy@bot1`" in summary(record(hosts=[unknown]))


def test_steps_are_shown_beside_their_targets_and_slow_ones_are_marked() -> None:
    def step(name: str, seconds: float) -> dict[str, Any]:
        return {"name": name, "seconds": seconds, "outcome": "ok"}

    hosts = [{**HOST, "steps": [step("stop", 5.5), step("start", 2.0)]}, {**HOST, "steps": [step("stop", 0.1)]}]
    page = summary(record(hosts=hosts))
    assert "| stop | 5.50 s | 5 s | ⚠️ |\n| start | 2.00 s | 10 s |  |\n| total | 1.50 s | 40 s |  |" in page


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_has_its_status_and_only_success_looks_like_success(outcome: Outcome) -> None:
    page = summary(record(outcome=outcome))
    assert ("Rollback executed" in page) == (outcome == "succeeded")
    assert ("**Status:** ✅" in page) == (outcome in ("succeeded", "nothing_to_do"))


def test_the_page_shows_what_started_an_automatic_rollback_and_that_it_was_an_emergency() -> None:
    page = summary(record(trigger="log-error", mode="emergency"))
    assert re.search(r"`alice`.*log-error", page)
    assert re.search(r"`prod`.*emergency", page)


def test_a_dry_run_does_not_look_like_a_rollback() -> None:
    page = summary(record(dry_run=True, outcome="nothing_to_do"))
    assert "Dry run" in headings(page)[0]
    assert "executed" not in page


@pytest.mark.parametrize("revision", ["v1.2", "abc", "AB" * 20, "abcdefg", f"{OLD}/../..", f"{OLD})", f"{OLD}\n"])
def test_only_a_commit_is_a_link(revision: str) -> None:
    page = summary(record(to={"release": "b2", "revision": revision}), REPOSITORY)
    assert links(page) == []


def test_without_a_repository_there_is_no_link() -> None:
    assert links(summary(committed().model_copy(update={"run_url": None}))) == []


def test_unhealthy_hosts_come_first() -> None:
    fine, bad = HOST, {**HOST, "host": "zebra", "outcome": "failed", "detail": "it burns"}
    page = summary(record(outcome="partial", hosts=[fine, bad]))
    assert page.index("zebra") < page.index("deploy@bot1")
    assert "`it burns`" in page


# --- hostile text ---------------------------------------------------------------------------------------


def assert_harmless(page: str) -> None:
    assert kinds(page) <= {"text", "softbreak", "code_inline"}, kinds(page)
    assert set(headings(page)[1:]) <= TITLES
    assert not {"hr", "blockquote_open", "image", "fence", "html_block"} & {token.type for token in tokens(page)}
    for token in tokens(page):
        if token.type == "text":
            assert not re.search(r"@|#\d|GH-|::|<|>|\$|http|www", token.content), token.content


def test_hostile_text_stays_text() -> None:
    page = summary(hostile(EVIL), REPOSITORY)
    assert_harmless(page)
    assert any("set-output" in span for span in spans(page))


@any_record
@given(records)
@example(hostile(EVIL))
def test_no_record_can_add_a_link_an_image_a_tag_a_heading_or_a_mention(any_: Record) -> None:
    page = summary(any_.model_copy(update={"run_url": None, "deployment": USUAL_DEPLOYMENT}), REPOSITORY)
    assert_harmless(page)


USUAL_DEPLOYMENT = record().deployment


@any_record
@given(records)
def test_every_record_fits(any_: Record) -> None:
    assert len(summary(any_, REPOSITORY).encode(errors="backslashreplace")) <= 256 * 1024


def differing(one: Record, count: int) -> tuple[HostRecord, ...]:
    """Many hosts of which no two ended alike."""
    (host,) = one.hosts
    return tuple(host.model_copy(update={"detail": f"{number} {host.detail}"}) for number in range(count))


def test_hosts_that_ended_alike_are_one_row_and_the_other_ones_are_named() -> None:
    (host,) = record().hosts
    failed = host.model_copy(update={"host": "the-odd-one", "outcome": "failed", "detail": "it does not start"})
    page = summary(record().model_copy(update={"hosts": (*[host] * 97, failed)}))
    rows = [
        line for line in page.splitlines() if line.startswith("|") and ("97 hosts" in line or "the-odd-one" in line)
    ]
    assert [("the-odd-one" in row, "97 hosts" in row) for row in rows[:2]] == [(True, False), (False, True)]


def test_the_page_of_a_group_has_its_order_its_services_and_the_commands_that_leave_a_mixed_state() -> None:
    page = summary(group())
    assert "web, then api" in page
    assert "api: failed, a3 → a2" in page
    assert "api on deploy@bot1" in page
    assert all(MIXED[key] in page for key in ("stopped", "then", "back"))


def test_a_record_of_hundreds_of_hosts_fits_and_the_page_counts_the_hosts_that_it_leaves_out() -> None:
    one = hostile("🚑|`<" * 500)
    many = one.model_copy(
        update={"hosts": differing(one, 500), "warnings": one.warnings * 500, "rejected": one.rejected * 500}
    )
    page = summary(many)
    assert len(page.encode()) <= 256 * 1024
    assert "440 more hosts" in page
    assert "left out" in page or "- and 440 more" in page


def test_a_page_without_a_record_is_plain_text_too() -> None:
    page = notice("❌ Refused", "</h2> @here", ["error: [x](http://evil) @here", "", "</details>"])
    assert headings(page) == ["❌ Refused: `</h2> @here`"]
    assert_harmless(page)
    assert spans(page)[1:] == ["error: [x](http://evil) @here", "</details>"]


# --- metrics ---------------------------------------------------------------------------------------------

EVIDENCE = {
    "check": "errors",
    "source": "prometheus",
    "baseline": "before",
    "verdict": "worse",
    "detail": "90 of 900 bad `now`",
    "alpha": 0.0125,
    "needed": 160,
    "e_worse": 4711,
    "e_not_worse": 0.0333,
    "new": {"bad": 90, "total": 900},
    "old": {"bad": 12, "total": 2400},
}


def test_what_metrics_show_is_everywhere_with_the_e_value_and_alpha() -> None:
    told = record(evidence=[EVIDENCE])
    message = dict(message_of(told).facts)["Metrics"]
    lines = "\n".join(line.text for line in text.result(told))
    for shown in (summary(told), message, lines):
        assert all(part in shown for part in ("errors", "worse", "90 of 900", "12 of 2400", "0.0333", "160", "0.0125"))
        assert "4.71e+03" in shown
    assert "Metrics" not in summary(record())
