"""The integrity manifest: a release that is not what was sealed is not restored."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import (
    FOUR,
    WHY,
    pid,
    quick,
    released,
)

Deploy = Callable[..., Deployed]


def test_sealed_releases_that_were_damaged_are_rejected_and_the_next_older_one_is_chosen(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    damage = {
        "b2": ("mv behaviour Behaviour", "./behaviour"),
        "b3": ("rm REVISION", "./REVISION"),
        "b4": ("echo '# changed' >>service.py", "./service.py"),
    }
    service = deploy(owner="deploy", releases=dict.fromkeys(("b1", *damage, "b5"), "healthy"))
    rollback_ops.settings(quick(service, pattern="b*"))
    for release in ("b1", *damage):
        assert rollback_ops("seal", "prod", release).code == 0
    for release, (script, _) in damage.items():
        service.host.run(f"cd {service.releases_directory}/{release} && {script}")

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    why = {rejected["release"]: rejected["why"] for rejected in ended.document["rejected"]}
    assert [release for release, (_, path) in damage.items() if path not in why[release]] == []
    assert ended.document["to"]["release"] == released(service) == "b1"


def test_a_damaged_release_is_not_restored_even_when_it_is_named(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("seal", "prod", "b2").code == 0
    service.host.run(f"echo unhealthy >{service.releases_directory}/b2/behaviour")
    process = pid(service)

    ended = rollback_ops("rollback", "prod", *WHY, "--backup", "b2", "--json")

    assert (ended.code, ended.document["outcome"]) == (1, "refused")
    assert "b2" in ended.document["hosts"][0]["detail"]
    assert "./behaviour" in ended.document["hosts"][0]["detail"]
    assert (released(service), pid(service)) == ("b4", process)


def test_seal_without_a_name_seals_what_is_live(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*"))
    ended = rollback_ops("seal", "prod", "--json")
    assert ended.code == 0
    # service.py, behaviour and REVISION; the link to the configuration is none of its files.
    assert [(host["release"], host["files"]) for host in ended.document["hosts"]] == [("b4", 3)]
    listed = rollback_ops("list", "prod", "--json").document["hosts"][0]["releases"]
    assert [release["name"] for release in listed if release["sealed"]] == ["b4"]


def test_a_release_that_does_not_exist_cannot_be_sealed(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*"))
    for name in ("b9", "../../config-prod.json", "-rf"):
        ended = rollback_ops("seal", "prod", "--", name)
        assert (ended.code, ended.out) == (1, "")
        assert name in ended.err


def test_a_configuration_that_gave_way_to_its_link_is_no_damage_to_a_sealed_release(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases=FOUR)
    own = f"{service.releases_directory}/b3/config.json"
    service.host.run(f'rm {own} && echo \'{{"environment": "its own"}}\' >{own}')
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("seal", "prod", "b3").code == 0
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert released(service) == "b2"

    ended = rollback_ops("rollback", "prod", *WHY, "--to", "b3", "--json")

    assert ended.code == 0, ended.document["hosts"][0]["detail"]
    assert released(service) == "b3"
