"""The page file: what it shows, and that no text in it becomes a part of the page."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from rollback_ops.core.errors import UsageError
from rollback_ops.core.record import Record
from rollback_ops.web import page_file
from rollback_ops.web.frame import safe_url
from rollback_ops.web.pages import INSTALL, Pages
from tests.support.any_record import records
from tests.support.hostile_records import ADDRESSES, ATTACKS, hostile
from tests.support.html_reader import Page
from tests.support.records import record
from tests.support.snapshots import observed, snapshot, survey

BUTTON = "https://github.com/acme/rosey/actions/workflows/rollback.yml"
FORBIDDEN = {"script", "img", "iframe", "object", "embed", "link", "base", "audio", "video", "textarea"}


def only_what_the_templates_have(page: Page) -> bool:
    attributes = [(name, value) for element in page.elements for name, value in element.attributes.items()]
    return (
        not page.tags & FORBIDDEN
        and len(page.all("style")) == 1
        and not [
            name for name, _ in attributes if name.startswith("on") or name in ("src", "srcdoc", "style", "action")
        ]
        and all(href.startswith(("#", "http://", "https://")) for href in page.links)
    )


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_markup_in_every_field_of_a_record_is_shown_as_text(number: int) -> None:
    page = Page(page_file.whole_page(snapshot(observed(survey()), records=[hostile(number)]), BUTTON))
    assert only_what_the_templates_have(page)
    assert page.text.count(ATTACKS[number].format(number, number)) > 15


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(records)
def test_no_record_at_all_changes_what_a_page_is_made_of(found: Record) -> None:
    assert only_what_the_templates_have(Page(page_file.whole_page(snapshot(records=[found]))))


@pytest.mark.parametrize(
    "address", [*ADDRESSES, "https://", "https://user:x@h/", "http://[", "https://h/\n", "HTTPS:h", None]
)
def test_only_an_address_of_the_web_becomes_a_link(address: str | None) -> None:
    assert safe_url(address) == ""
    assert safe_url(BUTTON) == BUTTON


def test_no_secret_is_in_a_page() -> None:
    found = record(reason="the password is s3cr3t-of-ours", warnings=["token=ghp_" + "a" * 36])
    source = page_file.whole_page(snapshot(records=[found]))
    assert "s3cr3t-of-ours" not in source
    assert "ghp_" not in source


def test_a_policy_lets_the_page_use_its_own_style_and_nothing_else() -> None:
    page = Page(page_file.whole_page(snapshot()))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert page.all("style")[0]["nonce"] in policy


def test_every_link_inside_the_page_leads_somewhere() -> None:
    page = Page(page_file.whole_page(snapshot(observed(survey()), records=[record(), record(id="other")]), BUTTON))
    places = {element.attributes["id"] for element in page.elements if "id" in element.attributes}
    assert {href[1:] for href in page.links if href.startswith("#")} <= places
    assert BUTTON in page.links


def test_the_details_of_the_newest_records_are_in_the_page_as_far_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = [record(id=f"run-{number}", reason="x" * 500) for number in range(60)]
    monkeypatch.setattr(page_file, "MOST_BYTES", 120_000)
    source = page_file.whole_page(snapshot(records=many))
    detailed = [number for number in range(60) if f'id="record-run-{number}"' in source]
    assert len(source.encode()) <= 120_000
    assert detailed == list(range(len(detailed)))
    assert 0 < len(detailed) < 60


def test_two_hundred_hosts_and_a_thousand_records_stay_under_a_megabyte() -> None:
    hosts = [survey(f"deploy@bot{number}.example.org", live="b2" if number % 2 else "b1") for number in range(200)]
    many = [record(id=f"20240102T030405Z-{number:08x}", environment=f"env{number % 9}") for number in range(1000)]
    source = page_file.whole_page(snapshot(observed(*hosts), records=many), BUTTON)
    assert len(source.encode()) < 1_000_000
    assert source.count('<tr data-environment="') >= 1000


# --- the file --------------------------------------------------------------------------------------------


def test_a_page_is_written_whole_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    page_file.write(tmp_path / "page.html", "text")
    assert (tmp_path / "page.html").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["page.html"]


def test_an_older_page_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    page_file.write(path, page_file.whole_page(snapshot()))
    path.chmod(0o644)
    page_file.write(path, page_file.whole_page(snapshot(records=[record()])))
    assert "logins fail" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("kind", ["another file", "a directory", "no directory"])
def test_nothing_else_is_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rollback.toml"
    if kind == "another file":
        path.write_text("[services.bot]")
    elif kind == "a directory":
        path.mkdir()
    else:
        path = tmp_path / "missing" / "page.html"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError):
        page_file.write(path, "page")
    assert sorted(tmp_path.rglob("*")) == before
    assert kind != "another file" or path.read_text() == "[services.bot]"


def test_the_missing_libraries_are_named_with_the_line_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError) as refused:
        Pages()
    assert INSTALL in refused.value.hint
