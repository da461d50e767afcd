"""list, check and verify: what they say, and that they change nothing but marks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.plan import revision
from tests.support.scene import (
    FOUR,
    WHY,
    at_once,
    checks,
    listing,
    marks,
    pid,
    quick,
    released,
)

Deploy = Callable[..., Deployed]


def test_list_shows_what_is_known_of_each_release_and_changes_nothing(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={**FOUR, "b5": "unhealthy"})
    service.host.run(f"rm -r {service.releases_directory}/b2/*")
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("rollback", "prod", "--bad", *WHY).code == 0
    assert rollback_ops("seal", "prod", "b1").code == 0
    files = listing(service)

    ended, told = rollback_ops("list", "prod", "--json"), rollback_ops("list", "prod")

    assert (ended.code, told.code, listing(service)) == (0, 0, files)
    assert ended.document["target"] == "b3"
    (host,) = ended.document["hosts"]
    assert (host["live"]["name"], host["live"]["revision"]) == ("b4", revision(4))
    shown = {r["name"]: (r["mark"], r["sealed"], r["problem"]) for r in host["releases"]}
    assert {name: (mark, sealed, bool(problem)) for name, (mark, sealed, problem) in shown.items()} == {
        "b1": ("", True, False),
        "b2": ("", False, True),
        "b3": ("", False, False),
        "b4": ("good", False, False),
        "b5": ("bad", False, False),
    }
    assert all(release["size_kib"] > 0 for release in host["releases"] if not release["problem"])
    rows = {line.lstrip("●→ ").split()[0]: line for line in told.out.splitlines() if line.lstrip("●→ ")[:1] == "b"}
    assert list(rows) == ["b5", "b4", "b3", "b2", "b1"]
    words = {
        "b5": ("bad",),
        "b4": ("●", "good"),
        "b3": ("→",),
        "b2": (shown["b2"][2],),
        "b1": ("sealed", revision(1)[:12]),
    }
    assert [(name, word) for name, each in words.items() for word in each if word not in rows[name]] == []


def test_list_says_why_nothing_could_be_chosen(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy"})
    rollback_ops.settings(quick(service, pattern="b*"))
    ended = rollback_ops("list", "prod")
    assert ended.code == 0
    assert "✗ " in ended.out


@pytest.mark.parametrize(
    ("releases", "options", "code", "words"),
    [
        (FOUR, (), 0, "b4 → b3"),
        (FOUR, ("--backup", "b1"), 0, "b4 → b1"),
        ({"b1": "healthy"}, (), 1, "✗ "),
        (FOUR, ("--backup", "b9"), 1, "b9"),
    ],
)
def test_check_says_whether_a_rollback_could_be_done_and_changes_nothing(
    rollback_ops: RollbackOps, deploy: Deploy, releases: dict[str, str], options: tuple[str, ...], code: int, words: str
) -> None:
    service = deploy(releases=releases)
    rollback_ops.settings(quick(service, pattern="b*"))
    files, process = listing(service), pid(service)

    told, ended = rollback_ops("check", "prod", *options), rollback_ops("check", "prod", *options, "--json")

    assert (told.code, ended.code, ended.document["exit_code"]) == (code, code, code)
    assert words in told.out
    assert (listing(service), pid(service)) == (files, process)


def test_verify_marks_what_is_live_as_good(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(live="b3", releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*"))
    process = pid(service)

    ended, told = rollback_ops("verify", "prod", "--json"), rollback_ops("verify", "prod")

    assert (ended.code, told.code, pid(service)) == (0, 0, process)
    assert ended.document["outcome"] == "succeeded"
    assert checks(ended.document)["health"] == ("passed", 'release is "b3"')
    assert [(host["release"], host["mark"]) for host in ended.document["hosts"]] == [("b3", "good")]
    assert told.out.startswith("✓ healthy")
    assert marks(rollback_ops) == {"b1": "", "b2": "", "b3": "good", "b4": ""}


def test_verify_marks_what_is_live_as_bad_and_no_later_rollback_goes_there(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(live="b3", releases={**FOUR, "b3": "unhealthy"})
    rollback_ops.settings(at_once(service, pattern="b*"))

    ended, told = rollback_ops("verify", "prod", "--json"), rollback_ops("verify", "prod")

    assert (ended.code, told.code) == (2, 2)
    assert ended.document["outcome"] == "verification_failed"
    assert "status 503" in told.out
    assert marks(rollback_ops)["b3"] == "bad"
    service.host.run(f"ln -sfn {service.releases_directory}/b4 {service.root}/current")
    service.host.run(f"systemctl restart {service.name}")
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert released(service) == "b2"


def test_a_release_that_turned_out_well_again_is_no_longer_bad(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "unhealthy"})
    rollback_ops.settings(at_once(service, pattern="b*"))
    assert rollback_ops("verify", "prod").code == 2
    service.host.run(f"echo healthy >{service.releases_directory}/b2/behaviour; systemctl restart {service.name}")
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("verify", "prod").code == 0
    assert marks(rollback_ops)["b2"] == "good"


def test_verify_of_a_stopped_service_fails(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    service.stop()
    rollback_ops.settings(quick(service))
    ended = rollback_ops("verify", "prod", "--json")
    assert ended.code == 2
    assert checks(ended.document)["process"] == ("failed", f"{service.name}.service is stopped")
