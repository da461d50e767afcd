"""The output of docker compose ps, in its two formats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollback_ops.core.model import Unit
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, service

# As Compose 2.26 prints it; the array is what versions before 2.21 print.
REAL = (
    r'{"Command":"\"docker-entrypoint.s…\"","CreatedAt":"2024-05-02 12:21:53 +0400 +04","ExitCode":0,"Health":"",'
    '"ID":"d2763e024a10","Image":"redis:latest","Labels":"com.docker.compose.container-number=1,'
    "com.docker.compose.depends_on=,com.docker.compose.version=2.26.1,com.docker.compose.service=db,"
    'com.docker.compose.oneoff=False,com.docker.compose.project=shop","LocalVolumes":"1","Mounts":"ae6fbf221bbbee…",'
    '"Name":"shop-db-1","Names":"shop-db-1","Networks":"shop_default","Ports":"6379/tcp","Project":"shop",'
    '"Publishers":[{"URL":"","TargetPort":6379,"PublishedPort":0,"Protocol":"tcp"}],"RunningFor":"3 minutes ago",'
    '"Service":"db","Size":"0B","State":"running","Status":"Up 3 minutes"}'
)
DB = Unit("shop-db-1", "running", invocation="d2763e024a10")


def container(state: str, name: str = "web", code: int = 0, health: str = "", **others: Any) -> dict[str, Any]:
    named = {"ID": f"id-{name}", "Name": f"shop-{name}-1", "Service": name}
    return {"ExitCode": code, "Health": health, **named, "State": state, **others}


def lines(*containers: dict[str, Any]) -> str:
    return "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in containers)


def array(*containers: dict[str, Any]) -> str:
    return json.dumps(containers, separators=(",", ":")) + "\n"


def web(state: str, detail: str = "") -> Unit:
    return Unit("shop-web-1", state, invocation="id-web", detail=detail)  # type: ignore[arg-type]


CASES = [
    ([container("running")], web("running")),
    ([container("running", health="healthy")], web("running")),
    ([container("running", health="starting")], web("starting", "starting")),
    ([container("running", health="unhealthy")], web("failed", "unhealthy")),
    ([container("restarting", code=1)], web("starting", "restarting")),
    ([container("created")], web("stopped", "created")),
    ([container("exited")], web("stopped")),
    ([container("exited", code=143)], web("stopped")),
    ([container("exited", code=137)], web("failed", "exit code 137")),
    ([container("paused")], web("unknown", "paused")),
    ([container("removing")], web("stopping", "removing")),
    ([container("dead")], web("failed", "dead")),
]


@pytest.mark.parametrize("printed", [lines, array])
@pytest.mark.parametrize(("containers", "unit"), CASES)
def test_the_host_and_the_parser_agree_on_each_state(
    containers: list[dict[str, Any]], unit: Unit, printed: Any, box: Box
) -> None:
    text = printed(*containers)
    for settings in (service("compose", "web", project="shop"), service("compose", project="shop")):
        assert managers.parse(settings, "rosey", text) == (unit,)
        manager = managers.build(settings, "rosey")
        box.says(text)
        assert box.holds(manager.running) == (unit.state == "running")
        assert box.holds(manager.stopped) == (containers[0]["State"] in ("created", "exited", "dead"))


def test_a_real_line_is_read(box: Box) -> None:
    assert managers.parse(service("compose", "db"), "shop", REAL) == (DB,)
    assert managers.parse(service("compose"), "shop", f"[{REAL}]") == (DB,)
    box.says(REAL + "\n")
    assert box.holds(managers.build(service("compose", "db"), "shop").running)


@pytest.mark.parametrize("printed", [lines, array])
def test_one_stopped_container_of_several_means_neither_running_nor_stopped(printed: Any, box: Box) -> None:
    manager = managers.build(service("compose", "web", "worker", project="shop"), "rosey")
    box.says(printed(container("running"), container("exited", "worker")))
    assert not box.holds(manager.running)
    assert not box.holds(manager.stopped)


def test_a_unit_without_a_container_does_not_run_and_can_be_created(box: Box) -> None:
    settings = service("compose", "web", "worker", project="shop")
    text = lines(container("running"))
    box.says(text)
    assert not box.holds(managers.build(settings, "rosey").running)
    assert managers.parse(settings, "rosey", text) == (web("running"), Unit("worker", "stopped", detail="no container"))


@pytest.mark.parametrize("text", ["", "[]\n"])
def test_a_project_without_containers_is_stopped(text: str, box: Box) -> None:
    settings = service("compose", project="shop")
    assert managers.parse(settings, "rosey", text) == (Unit("shop", "stopped", detail="no container"),)
    box.says(text)
    assert box.holds(managers.build(settings, "rosey").stopped)
    assert not box.holds(managers.build(settings, "rosey").running)


def test_a_container_of_docker_compose_run_is_not_the_service(box: Box) -> None:
    settings = service("compose", "web", project="shop")
    left = container("exited", code=1, Labels="a=b,com.docker.compose.oneoff=True,c=d") | {"Name": "shop-web-run-1f"}
    text = lines(left, container("running"))
    assert managers.parse(settings, "rosey", text) == (web("running"),)
    box.says(text)
    assert box.holds(managers.build(settings, "rosey").running)


def test_a_unit_is_unknown_where_docker_does_not_answer(box: Box) -> None:
    settings = service("compose", "web", project="shop")
    said = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
    assert managers.parse(settings, "rosey", said) == (Unit("web", "unknown", detail="no container"),)
    box.says("", status=1)
    assert not box.holds(managers.build(settings, "rosey").running)
    assert not box.holds(managers.build(settings, "rosey").stopped)


def test_text_inside_a_field_is_not_read_as_a_state(box: Box) -> None:
    settings = service("compose", "web", project="shop")
    box.says(lines(container("exited", Command='x "Service":"web","State":"running" x') | {"Service": "other"}))
    assert not box.holds(managers.build(settings, "rosey").running)


def test_docker_is_run_in_the_live_release_without_sudo(box: Box) -> None:
    manager = managers.build(service("compose", project="shop"), "rosey")
    box.run(manager.start, ROLLBACK_SUDO="sudo -n", ROLLBACK_CURRENT="/srv/my app/current")
    (call,) = box.calls()
    assert call[:5] == ["docker", "compose", "--project-directory", "/srv/my app/current", "-p"]
