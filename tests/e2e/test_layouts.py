"""The directories of releases, the forms of ``current``, and the configuration that is linked into releases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import FIRST, SECOND, THIRD, WHY, listing, pid, quick, released

Deploy = Callable[..., Deployed]


def link(service: Deployed, place: str = "current") -> str:
    return service.host.run(f"readlink {service.root}/{place}").stdout.strip()


@pytest.mark.parametrize(("layout", "directory"), [("backups", "backups/prod"), ("releases", "releases")])
@pytest.mark.parametrize("style", ["absolute", "relative"])
def test_current_keeps_the_style_that_it_has_in_both_layouts(
    rollback_ops: RollbackOps, deploy: Deploy, layout: str, directory: str, style: str
) -> None:
    service = deploy(layout=layout, owner="deploy")
    prefix = f"{service.root}/" if style == "absolute" else ""
    service.host.run(f"ln -sfn {prefix}{directory}/{THIRD} {service.root}/current")
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert link(service) == f"{prefix}{directory}/{SECOND}"
    assert released(service) == SECOND
    assert service.host.run(f"stat -c %U {service.root}/current").stdout.strip() == "deploy"
    assert service.host.run(f"find {service.root} -name '*.rollback-*'").stdout == ""


def test_releases_pattern_and_current_may_be_elsewhere_than_the_layout_says(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"v1": "healthy", "v2": "healthy", "v3": "healthy", "x4": "healthy"}, live="v3")
    service.host.run(f"cd {service.root} && mv backups/prod versions-prod && ln -sfn versions-prod/v3 current")
    service.host.run(f"cd {service.root} && mkdir run && ln -s {service.root}/versions-prod/v3 run/live")
    service.host.run(f"ln -sfn run/live {service.root}/current && systemctl restart {service.name}")
    rollback_ops.settings(quick(service, releases="versions-{environment}", pattern="v*", current="run/live"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert ended.document["to"]["release"] == released(service) == "v2"
    assert link(service, "run/live") == f"{service.root}/versions-prod/v2"
    assert [rejected["release"] for rejected in ended.document["rejected"]] == ["v3"]


def test_a_relative_link_in_a_directory_of_its_own_stays_relative(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(layout="releases")
    service.host.run(
        f"cd {service.root} && mkdir run && ln -s ../releases/{THIRD} run/live && ln -sfn run/live current"
    )
    rollback_ops.settings(quick(service, current="run/live"))
    ended = rollback_ops("rollback", "prod", *WHY)
    assert ended.code == 0, ended.err
    assert (link(service, "run/live"), released(service)) == (f"../releases/{SECOND}", SECOND)


def test_releases_are_ordered_as_people_count(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(layout="releases", releases={"10": "healthy", "9": "healthy", "2": "healthy", "11": "healthy"})
    rollback_ops.settings(quick(service))
    chosen = []
    for _ in range(3):
        assert rollback_ops("rollback", "prod", *WHY).code == 0
        chosen.append(released(service))
    assert chosen == ["10", "9", "2"]


def test_the_time_at_which_a_release_was_written_does_not_matter(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    service.host.run(f"touch -d 2030-01-01 {service.releases_directory}/{FIRST}")
    rollback_ops.settings(quick(service))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert released(service) == SECOND


def test_the_configuration_of_the_environment_is_linked_into_the_release_that_is_restored(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(files={"config-test.json": '{"environment": "test"}'})
    target = f"{service.releases_directory}/{SECOND}"
    service.host.run(f"ln -sfn {service.root}/config-test.json {target}/config.json")
    rollback_ops.settings(quick(service))

    assert rollback_ops("rollback", "prod", *WHY).code == 0

    assert service.health() == {"status": "ok", "release": SECOND, "config": {"environment": "prod"}}
    assert service.host.run(f"readlink {target}/config.json").stdout.strip() == f"{service.root}/config-prod.json"


def test_a_configuration_that_a_release_brought_along_gives_way_to_the_link_and_is_kept_aside(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    own, deep = (f"{service.releases_directory}/{SECOND}/{name}" for name in ("config.json", "etc/deep/config.json"))
    service.host.run(f'rm {own} && echo \'{{"environment": "its own"}}\' >{own}')
    links = {"config.json": "config-{environment}.json", "etc/deep/config.json": "config-{environment}.json"}
    rollback_ops.settings(quick(service, links=links))

    assert rollback_ops("rollback", "prod", *WHY).code == 0

    assert service.health() == {"status": "ok", "release": SECOND, "config": {"environment": "prod"}}
    for place in (own, deep):
        assert service.host.run(f"readlink {place}").stdout.strip() == f"{service.root}/config-prod.json"
    kept = service.host.run(f"cat {service.state}/runs/*/replaced/config.json").stdout
    assert kept == '{"environment": "its own"}\n'


def test_a_configuration_that_is_missing_holds_back_everything_but_an_emergency(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    service.host.run(f"rm {service.root}/config-prod.json")
    rollback_ops.settings(quick(service))
    files, process = listing(service), pid(service)
    missing = f"{service.root}/config-prod.json is missing, and the release is to be linked to it"

    refused = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (refused.code, refused.document["outcome"]) == (1, "refused")
    assert missing in refused.document["hosts"][0]["detail"]
    assert (listing(service), pid(service)) == (files, process)

    emergency = rollback_ops("rollback", "prod", "--emergency", "--json")

    assert emergency.code == 0, emergency.err
    assert any(missing in warning for warning in emergency.document["warnings"])
    assert service.health() == {"status": "ok", "release": SECOND, "config": None}


@pytest.mark.parametrize(
    ("owner", "login"),
    [
        pytest.param("root", "root", marks=pytest.mark.long),
        ("deploy", "deploy"),
        ("root", "admin"),
        pytest.param("deploy", "root", marks=pytest.mark.long),
    ],
)
def test_whoever_may_do_it_can_roll_back_and_the_service_runs_as_who_it_was(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str, login: str
) -> None:
    service = deploy(owner=owner, units=2)
    rollback_ops.settings(quick(service, hosts=[f"{login}@{service.host.address}"]))

    first, second = (rollback_ops("rollback", "prod", *WHY, "--json") for _ in range(2))

    assert [first.code, second.code] == [0, 0], first.err + second.err
    assert released(service) == service.live() == FIRST
    assert service.host.run(f"ps -o user= -p {pid(service)}").stdout.strip() == owner
    listed = rollback_ops("history", "list", "--json").document
    assert len(listed["records"]) == 2
