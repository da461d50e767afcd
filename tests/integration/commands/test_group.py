"""A group of services on this machine: the command, from the settings to what is live and what is printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.github_api.server import github_api
from tests.support.lab.toml import dump
from tests.support.on_this_machine import OwnService
from tests.support.receiver import receiver
from tests.support.scene import WHY, evident
from tests.support.workflow import RECORD, REVISIONS, variables

SHOP = ("--group", "shop", "--local")


class Shop:
    """The services api and web, with b3 live. ``web`` depends on ``api``."""

    def __init__(self, folder: Path, **api: str) -> None:
        self.folder = folder
        healthy = dict.fromkeys(("b1", "b2", "b3"), "healthy")
        self.api = OwnService(folder / "api", healthy | api)
        self.web = OwnService(folder / "web", healthy)
        self.rollback_ops = RollbackOps(folder)
        self.settings()

    def settings(self, **group: Any) -> None:
        services = {service.root.name: self._of(service) for service in (self.api, self.web)}
        groups = {"shop": {"services": ["api", "web"], **group}}
        self.rollback_ops.settings(dump({"services": services, "groups": groups, "environments": {"prod": {}}}))

    def _of(self, service: OwnService) -> dict[str, Any]:
        return {"root": str(service.root), "manager": "custom", "commands": service.commands, **evident(service)}

    @property
    def live(self) -> tuple[str, str]:
        """The releases that answer, healthy or not."""
        api, web = ((service.health() or ("", ""))[1] for service in (self.api, self.web))
        return api, web

    def __call__(self, command: str, *more: str) -> Any:
        return self.rollback_ops(command, "prod", *SHOP, *more)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        made = Shop(tmp_path, b2="unhealthy")
        stack.enter_context(made.api)
        stack.enter_context(made.web)
        yield made


def typed(command: str) -> list[str]:
    """What a person types after rollback-ops, where it says which command leaves the mixed state."""
    return [*shlex.split(command)[1:], "--local", *WHY]


def test_a_mixed_state_is_named_and_its_two_commands_leave_it(shop: Shop) -> None:
    ended = shop("rollback", *WHY, "--json", "--record", str(shop.folder / "record.json"))
    group = ended.document["group"]
    assert (ended.code, ended.document["outcome"], ended.document["service"]) == (5, "partial", "shop"), ended.err
    assert [(each["service"], each["outcome"]) for each in group["services"]] == [
        ("api", "verification_failed"),
        ("web", "succeeded"),
    ]
    assert json.loads((shop.folder / "record.json").read_text()) == ended.document
    assert shop.live == ("b2", "b2")

    back = shop.rollback_ops(*typed(group["back"]))
    assert (back.code, shop.live) == (0, ("b3", "b3")), back.err

    (shop.api.root / "releases/b2/behaviour").write_text("healthy")
    on = shop.rollback_ops(*typed(group["then"]))
    assert (on.code, shop.live) == (0, ("b2", "b2")), on.err
    assert "shop" in shop.rollback_ops("history", "list", "prod", "--local").out


def test_a_group_is_previewed_in_its_order_and_one_that_stopped_is_resumed(shop: Shop) -> None:
    seen = shop("preview", "--json")
    assert (seen.code, seen.document["steps"]) == (0, [["web"], ["api"]]), seen.err
    targets = {name: each["returns_to"]["name"] for name, each in seen.document["services"].items()}
    assert targets == {"api": "b2", "web": "b2"}
    shown = shop("preview").out
    assert shown.index("\nweb\n") < shown.index("\napi\n")
    assert shop("resume", "--json").document["outcome"] == "nothing_to_do"

    shop.settings(services=["web", "api"])
    assert (shop("rollback", *WHY).code, shop.live) == (5, ("b2", "b3"))
    shop.api.repair()
    seen = shop("preview", "--to", "b2", "--json")
    assert (seen.code, seen.document["services"]["api"]["returns_to"]) == (0, None)
    resumed = shop("resume", "--json")
    assert (resumed.code, resumed.document["outcome"], shop.live) == (0, "succeeded", ("b2", "b2")), resumed.err


def test_services_whose_versions_match_go_back_when_one_fails(shop: Shop) -> None:
    shop.settings(together=True, on_failure="restore")
    ended = shop("rollback", *WHY, "--json")
    assert (ended.code, ended.document["outcome"], shop.live) == (3, "restored", ("b3", "b3")), ended.err


def test_a_guard_notes_the_set_that_a_later_rollback_goes_back_to(shop: Shop) -> None:
    assert shop("guard").code == 0
    for service in (shop.api, shop.web):
        service.deploy("b4")
    service.deploy("b5")
    checked = shop("check", "--json")
    assert checked.code == 0, checked.err
    assert [each["to"]["release"] for each in checked.document["group"]["services"]] == ["b3", "b3"]
    ended = shop("rollback", *WHY)
    assert (ended.code, shop.live) == (0, ("b3", "b3")), ended.err


def test_all_services_are_listed_and_verified(shop: Shop) -> None:
    listed = shop("list", "--json").document
    assert listed["group"] == "shop"
    assert {name: found["target"] for name, found in listed["services"].items()} == {"api": "b2", "web": "b2"}
    verified = shop("verify", "--json")
    assert (verified.code, list(verified.document["services"])) == (0, ["api", "web"])
    assert "api" in shop("verify").out
    assert "web" in shop("list").out


def test_each_service_has_a_deployment_on_github_and_the_group_one_message(shop: Shop) -> None:
    for service in (shop.api, shop.web):
        for release, revision in REVISIONS.items():
            (service.root / "releases" / release / "REVISION").write_text(f"{revision}\n")
    (shop.api.root / "releases/b2/behaviour").write_text("healthy")
    with github_api() as api, receiver() as team:
        api.repository.knows(*REVISIONS.values())
        there = variables(api, 1, ROLLBACK_RECORD=RECORD, ROLLBACK_WEBHOOK_URL=team.url, ROLLBACK_WEBHOOK_FORMAT="json")
        ended = shop.rollback_ops("rollback", "prod", *SHOP, *WHY, "--json", **there)
        assert ended.code == 0, ended.err
        # What GitHub did not answer in time, on a machine that is busy, the last step records.
        assert shop.rollback_ops("finish", **there).code == 0
        filed = {each["payload"]["service"]: each["id"] for each in api.repository.deployments}
        recorded = json.loads((shop.folder / RECORD).read_text())["services"]
        assert {each["service"]: each["deployment"]["id"] for each in recorded} == filed
        assert sorted(filed) == ["api", "web"]
        assert [message["service"] for message in team.documents] == ["shop"]

        record = json.loads((shop.folder / RECORD).read_text())
        for each in record["services"]:
            each["deployment"] = {}
        (shop.folder / RECORD).write_text(json.dumps(record))
        assert shop.rollback_ops("finish", **there).code == 0
        assert json.loads((shop.folder / RECORD).read_text())["services"] == recorded
        assert len(api.repository.deployments) == 2


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (("--group", "shp"), ("shp", "shop")),
        (("--group", "shop", "--service", "web"), ("shop", "web")),
        (("--group", "shop", "--if-current", "b3"), ("--if-current",)),
        (("--group", "shop", "--to", "api=b2,wbe=b2"), ("web",)),
        (("--group", "shop", "--to", "ap=b2,web=b2"), ("ap", "api")),
        (("--group", "shop", "--to", "api=b2"), ("web",)),
    ],
)
def test_what_a_group_cannot_be_asked_is_refused_before_anything_is_looked_at(
    tmp_path: Path, typed: tuple[str, ...], names: tuple[str, ...]
) -> None:
    shop = Shop(tmp_path)
    ended = shop.rollback_ops("rollback", "prod", "--local", *WHY, *typed)
    assert ended.code == 64
    assert all(name in ended.err for name in names)
    assert not (shop.api.root / ".rollback").exists()


def test_a_limit_that_a_group_cannot_heed_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    asked = [
        ("guard", (), "ROLLBACK_BACKUP", "b1"),
        ("guard", (), "ROLLBACK_SHARD", "1"),
        ("guard", (), "ROLLBACK_REHEARSE", "7d"),
        ("resume", WHY, "ROLLBACK_BACKUP", "b1"),
        ("rollback", WHY, "ROLLBACK_SHARD", "1"),
    ]
    for command, why, variable, value in asked:
        ended = shop.rollback_ops(command, "prod", *SHOP, *why, **{variable: value})
        option = f"--{variable.removeprefix('ROLLBACK_').lower()}"
        assert (ended.code, option in ended.err) == (64, True), (command, variable, ended.err)
    assert not (shop.api.root / ".rollback").exists()


def test_a_command_for_one_service_takes_no_group(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    ended = shop.rollback_ops("hold", "prod", "--local", ROLLBACK_GROUP="shop")
    assert (ended.code, "shop" in ended.err) == (64, True)
