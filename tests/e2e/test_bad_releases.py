"""Releases that cannot be gone back to, and ``current`` in every state but the right one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.untouched import refusal, untouched

Deploy = Callable[..., Deployed]
ROLLBACK = ("rollback", "prod", "--reason", "logins fail since the deploy", "--json")
ONE, TWO, THREE = "backup_20240101_120000", "backup_20240102_120000", "backup_20240103_120000"
HOSTILE = (
    "a release",
    'a"quote',
    "it's",
    "a\nline",
    "a\ttab",
    "$(touch canary)",
    "`touch canary`",
    ";touch canary;",
    "-rf",
    "--help",
    "x" * 200,
    "ünïcødé-\U0001f984",
    "*",
    "%s%n",
    "\x1b[31mred",
)


def settings(service: Deployed, **changes: Any) -> str:
    return service.toml(**{"verify": {"min_healthy_time": "0s"}} | changes)


def rejected(ended: Ended) -> dict[str, str]:
    return {r["release"]: r["why"] for r in ended.document["rejected"]}


# --- nothing to go back to -----------------------------------------------------------------------------


def test_without_a_releases_directory_it_is_the_directory_that_is_named(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service, releases="elsewhere"))
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert f"{service.root}/elsewhere" in refusal(ended)


@pytest.mark.parametrize("owner", ["root", "deploy", "admin"])
def test_without_its_root_it_is_the_root_that_is_named(rollback_ops: RollbackOps, deploy: Deploy, owner: str) -> None:
    service = deploy(owner=owner)
    rollback_ops.settings(settings(service, root="/srv/not-there"))
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert "/srv/not-there" in refusal(ended)


def test_after_a_first_deployment_there_is_nothing_to_go_back_to(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={ONE: "healthy"})
    rollback_ops.settings(settings(service))
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert refusal(ended)
    assert rejected(ended).keys() == {ONE}


def test_each_release_that_cannot_be_gone_back_to_is_told_with_its_reason(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(owner="deploy", layout="releases", releases={"9": "healthy", "10": "healthy"})
    rollback_ops.settings(settings(service, requires=["service.py", "behaviour"]))
    marks = f"{service.state}/marks"
    service.host.run(
        f"""cd {service.releases_directory}; mv 9 {service.root}/nine
        ln -s 10 1; mkdir 2; touch 3; for n in 4 5 6 7 11; do cp -a {service.root}/nine $n; done
        rm 4/behaviour; ln -s releases/6 {service.root}/release; mkdir -p {marks}; touch {marks}/7.bad
        chown -R deploy {service.root}; chown root 5; chmod 700 5"""
    )
    with untouched(service):
        ended = rollback_ops(*ROLLBACK, "--ignore-deploy-lock")
    assert "--backup" in refusal(ended)
    words = {
        "11": "newer",
        "10": "live",
        "7": "bad",
        "6": "deployed",
        "5": "read",
        "4": "behaviour",
        "3": "not a directory",
        "2": "empty",
        "1": "link",
    }
    why = rejected(ended)
    assert why.keys() == words.keys()
    assert [name for name, word in words.items() if word not in why[name]] == []
    assert len(set(why.values())) == len(why)

    service.host.run(f"mv {service.root}/nine {service.releases_directory}/0")
    ended = rollback_ops(*ROLLBACK, "--ignore-deploy-lock")
    assert (ended.code, service.live(), len(rejected(ended))) == (0, "0", 9)


@pytest.mark.parametrize("name", ["1", "2", "4"])
def test_an_unfit_release_is_not_gone_back_to_when_it_is_named_either(
    rollback_ops: RollbackOps, deploy: Deploy, name: str
) -> None:
    service = deploy(layout="releases", releases={"9": "healthy", "10": "healthy"})
    rollback_ops.settings(settings(service, requires=["behaviour"]))
    service.host.run(f"cd {service.releases_directory}; ln -s 9 1; mkdir 2; cp -a 9 4; rm 4/behaviour")
    with untouched(service):
        plain, emergency = (rollback_ops(*ROLLBACK, "--backup", name, *more) for more in ((), ("--emergency",)))
    assert refusal(plain) == refusal(emergency)
    assert refusal(plain).startswith(f"{name} ")


# --- current ---------------------------------------------------------------------------------------------

MISSING, DANGLING, ELSEWHERE = "rm {0}", "ln -sfn /srv/no/such {0}", "ln -sfn /opt {0}"
NO_CURRENT = [
    (MISSING, "current"),
    (DANGLING, "/srv/no/such"),
    (ELSEWHERE, "/opt"),
]


@pytest.mark.parametrize(("script", "words"), NO_CURRENT, ids=["missing", "dangling", "elsewhere"])
def test_where_current_leads_to_no_release_the_target_has_to_be_named(
    rollback_ops: RollbackOps, deploy: Deploy, script: str, words: str
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service))
    service.host.run(script.format(f"{service.root}/current"))
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert (words in refusal(ended), "--backup" in refusal(ended)) == (True, True)

    ended = rollback_ops(*ROLLBACK, "--backup", TWO)
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    assert ended.document["from"]["release"] is None
    answer = service.health()
    assert answer is not None
    assert (service.live(), answer["release"]) == (TWO, TWO)


@pytest.mark.parametrize(("script", "words"), NO_CURRENT, ids=["missing", "dangling", "elsewhere"])
def test_where_current_leads_to_no_release_an_emergency_goes_to_the_newest(
    rollback_ops: RollbackOps, deploy: Deploy, script: str, words: str
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service))
    service.host.run(script.format(f"{service.root}/current"))
    ended = rollback_ops(*ROLLBACK, "--emergency")
    assert (ended.code, service.live()) == (0, THREE), ended.err
    assert any(service.host.address in warning and words in warning for warning in ended.document["warnings"])


def test_a_live_release_that_was_deleted_is_named_and_an_emergency_goes_to_the_newest_that_is_left(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service))
    service.host.run(f"rm -r {service.releases_directory}/{THREE}")
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
    assert f"{service.releases_directory}/{THREE}" in refusal(ended)
    ended = rollback_ops(*ROLLBACK, "--emergency")
    assert (ended.code, service.live()) == (0, TWO), ended.err


@pytest.mark.parametrize("more", [(), ("--backup", TWO), ("--emergency",)], ids=["standard", "backup", "emergency"])
def test_a_directory_in_the_place_of_current_is_never_replaced(
    rollback_ops: RollbackOps, deploy: Deploy, more: tuple[str, ...]
) -> None:
    service = deploy()
    rollback_ops.settings(settings(service))
    service.host.run(f"cd {service.root}; rm current; cp -a {service.releases_directory}/{THREE} current")
    with untouched(service):
        ended = rollback_ops(*ROLLBACK, *more)
    assert "current" in refusal(ended)


# --- names -------------------------------------------------------------------------------------------------


def test_hostile_names_on_a_host_are_listed_as_they_are_and_never_executed_or_chosen(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(layout="releases", releases={"1": "healthy", "2": "healthy"})
    rollback_ops.settings(settings(service))
    names = " ".join(shlex.quote(f"./{name}") for name in HOSTILE)
    service.host.run(f'cd {service.releases_directory}; mkdir {names}; for d in {names}; do cp 1/* "$d"; done')

    listed = rollback_ops("list", "prod", "--json")
    shown = rollback_ops("list", "prod")
    ended = rollback_ops(*ROLLBACK)

    problems = {r["name"]: r["problem"] for r in listed.document["hosts"][0]["releases"]}
    assert problems.keys() == {"1", "2", *(repr(name[:128]) for name in HOSTILE)}
    assert {name for name, why in problems.items() if not why} == {"1", "2"}
    assert listed.document["target"] == "1"
    assert "\x1b" not in shown.out
    assert "a\nline" not in shown.out
    assert (ended.code, service.live()) == (0, "1"), ended.err
    assert service.host.run("find /srv /root /home /tmp -name 'canary*'").stdout == ""


def test_a_thousand_releases_are_no_trouble_and_the_record_reaches_the_journal(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(layout="releases", releases={"1": "healthy", "2": "healthy"})
    rollback_ops.settings(settings(service))
    service.host.run(
        f"cd {service.releases_directory}; seq -f release-{'x' * 100}-%g 1000 | xargs mkdir -p;"
        " for d in release-*; do : >$d/file; done"
    )
    ended = rollback_ops(*ROLLBACK, "--backup", "1")
    assert (ended.code, service.live(), ended.document["warnings"]) == (0, "1", []), ended.err
    assert len(ended.document["rejected"]) > 900
    (told,) = rollback_ops("history", "list", "--json").document["records"]
    assert (told["id"], told["outcome"], told["rejected"]) == (ended.document["id"], "succeeded", [])
    (warning,) = told["warnings"]
    assert ("journal" in warning, "1001" in warning) == (True, True)
