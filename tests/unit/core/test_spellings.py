"""One commit on two hosts, in two spellings: the same release, whoever asks."""

from __future__ import annotations

from rollback_ops.core.model import Live, Release, ServiceId, Survey
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import ReleaseRef
from rollback_ops.core.references import common
from rollback_ops.core.unfinished import going_on
from rollback_ops.core.verified_set import ServiceChoices, Target, choose_set, options
from tests.support.records import USUAL, record

OLD, NEW = "a" * 40, "b" * 40


def running(host: str, live: str, **revisions: str) -> Survey:
    """A host whose deployment tool counts releases: ``_3="aaa"`` is release 3 with the revision aaa."""
    found = tuple(Release(name[1:], revision=revision) for name, revision in revisions.items())
    return Survey(host, found, Live("release", live))


def test_a_record_names_no_release_where_one_commit_has_several_names() -> None:
    assert common([ReleaseRef(release="2", revision=OLD), ReleaseRef(release="4", revision=OLD[:7])]).release is None


def test_a_rollback_that_did_not_reach_all_hosts_is_known_again() -> None:
    reached = USUAL["hosts"][0] | {"host": "h1", "to": {"release": "2", "revision": OLD[:7]}}
    begun = record(to={"release": None, "revision": OLD}, hosts=[reached])
    surveys = [running("h1", "2", _2=OLD[:7], _3=NEW[:7]), running("h2", "5", _4=OLD, _5=NEW)]
    found = going_on(Selection(), ServiceId("bot", "prod"), surveys, (), lambda: [begun.line()])
    assert found.unfinished
    assert (found.unfinished.run, found.unfinished.lacking) == (begun.id, ("h2",))


def test_services_of_one_commit_match() -> None:
    def of(survey: Survey) -> ServiceChoices:
        return options([survey], Selection())

    services = {"api": of(running("h1", "2", _1=OLD[:7], _2=NEW[:7])), "web": of(running("h2", "5", _4=OLD, _5=NEW))}
    found = choose_set("shop", services, (), together=True)
    assert isinstance(found, Target)
    assert found.labels == {"api": "1", "web": "4"}
