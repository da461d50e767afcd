"""The page of a preview: every part of it, and nothing that people or hosts wrote becomes a part of the page."""

from __future__ import annotations

from dataclasses import replace

from rollback_ops.commands.preview import Expected, Preview
from rollback_ops.commands.preview_group import GroupPreview
from rollback_ops.core.changes import Commit, Commits
from rollback_ops.core.comparison import Files, Keys
from rollback_ops.core.dependencies import DependencyFile, Package
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.model import Release, ServiceId
from rollback_ops.core.plan import HostPlan, NothingToDo, Plan, Refusal
from rollback_ops.web.frame import Frame
from rollback_ops.web.pages import Pages
from rollback_ops.web.server.actions import FormAddress, FormInput, Offer
from rollback_ops.web.server.actions.values import form_of as asked_form
from rollback_ops.web.server.operations import form_of
from rollback_ops.web.server.site import LINKS
from tests.support.fakes import live_at
from tests.support.html_reader import Page

EVIL = "<script>hit()</script><img src=x onerror=hit()>"


def shown(found: Preview, *, emergency: bool = False, problem: str = "") -> Page:
    form = form_of(ServiceId("web", "prod"), found, emergency=emergency)
    return Page(
        Pages().render(
            "rollback.html",
            Frame("n0nce", LINKS, live=True),
            found=found,
            form=form,
            signed="signed" if form else "",
            about={"environment": "prod", "service": "web"},
            emergency=emergency,
            problem=problem,
            reason=EVIL,
            going_on=[],
        )
    )


def everything(word: str, many: int = 1) -> Preview:
    """A preview with this word in all texts, and many lines in each part."""
    hosts = tuple(HostPlan(f"h{n}", live_at("b3"), "switch", "b2") for n in range(many))
    plan = Plan("b2", "", (*hosts, HostPlan(word, live_at("b2"), "leave", "b2", word)), warnings=(word,))
    return Preview(
        "prod",
        plan,
        Release("b3"),
        Release("b2"),
        deployed_by=word,
        commits=Commits(many, tuple(Commit("abc", word, word, 7) for _ in range(many)), linear=False),
        files=Files(tuple(f"{word}{n}/x" for n in range(many)), source="manifests", cut=True),
        migrations=[word] * many,
        dependencies=(DependencyFile(word, (Package(word, word, ""),) * many), DependencyFile(word, readable=False)),
        settings=(Keys(word, (word,) * many, (word,), (word,)), Keys(word, readable=False)),
        expected=Expected(1.5, 4.0, 12),
        holds=(word,),
        hash="a" * 64,
        missing={"migrations": word},
        lost={word: HostUnreachable(word)},
    )


def shown_group(found: GroupPreview) -> Page:
    asked = FormAddress("rollback", "prod", group="shop")
    offer = Offer(None if found.refusal else asked_form(asked), found.refusal, preview=found)
    given = {"asked": asked, "offer": offer, "title": "Roll back", "signed": "", "problem": "", "typed": FormInput()}
    return Page(Pages().render("change.html", Frame("n0nce", LINKS, live=True), **given))


def test_every_part_is_there_and_markup_in_it_is_text() -> None:
    page = shown(everything(EVIL), problem=EVIL)
    assert page.tags.isdisjoint({"script", "img"})
    assert page.text.count("hit()") > 30
    assert all(part in page.text for part in ("1.50 s", "4.00 s", "#7", "manifests", "Not linear"))


def test_what_is_long_is_bounded_and_says_so() -> None:
    few, many = shown(everything("word", 18)), shown(everything("word", 500))
    assert "480 more" in many.text
    assert "more:" not in few.text
    # Hosts are all named: the button changes them.
    assert "h499" in many.text


def test_a_rollback_that_would_be_refused_has_no_button_but_says_why() -> None:
    found = everything("word")
    refused = shown(Preview("prod", found.decision, Release("b3"), Release("b2"), refusal="the seal is broken"))
    assert "the seal is broken" in refused.text
    assert "form" not in refused.tags
    nothing = shown(Preview("prod", Refusal("no eligible release", "Deploy one.")), emergency=True)
    assert "no eligible release" in nothing.text
    assert "Deploy one." in nothing.text
    assert "form" not in nothing.tags
    assert "form" in shown(found).tags


def test_a_group_is_shown_service_by_service_in_the_order_of_the_change() -> None:
    services = {"api": Preview("prod", NothingToDo("it is live there already")), "web": everything(EVIL, 30)}
    whole = GroupPreview("shop", "prod", (("web",), ("api",)), services, "run-7", (EVIL,))
    page = shown_group(whole)
    assert page.tags.isdisjoint({"script", "img"})
    assert page.text.count("hit()") > 30
    assert all(part in page.text for part in ("web, then api", "run-7", "it is live there already", "#7"))
    assert "preview prod --group shop --json" in page.text
    refused = shown_group(replace(whole, refusal="web: the seal is broken"))
    assert "the seal is broken" in refused.text
    assert ("form" in page.tags, "form" in refused.tags) == (True, False)
