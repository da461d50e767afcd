"""Docker's answers about a Compose project. tests/e2e/test_compose.py has it from a real engine."""

from __future__ import annotations

import subprocess

import pytest

from rollback_ops.core.model import Manager, Unit, UnitState
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, service

# As the agent prints it of a real project: a server, and a job that it waits for.
REAL = """\
container|web|/shop-web-1|3838757bca5f7024651c|2|2026-11-27T08:21:00.322244127Z|14574|running||0|job:service_completed_successfully:false|/srv/shop/current
container|job|/shop-job-1|f7bc056ab390a3cbae2f|0|2026-11-27T08:20:59.689988168Z|0|exited||0||/srv/shop/current
services|job web
"""
# The canonical form of a compose file, with what looks like other services.
CONFIG = """\
time="2026-11-27T08:00:00Z" level=warning msg="The variable is not set."
name: shop
services:
  "web":
    command:
      - sh
    environment:
      db: "1"
    image: box:1
{services}networks:
  default:
    name: shop_default
volumes:
  data:
    name: shop_data
"""
# Answers as docker does, each command from the file of its name.
DOCKER = """\
#!/bin/sh
case "$1 $4" in
    ps*) cat "$HOME/ps" ;;
    inspect*) cat "$HOME/inspect" ;;
    compose*config) cat "$HOME/config" ;;
esac
"""


def container(
    state: str, name: str = "web", code: int = 0, health: str = "", waits_for: str = "", place: str = "/srv/rosey"
) -> str:
    return f"container|{name}|/shop-{name}-1|id-{name}|0|then|7|{state}|{health}|{code}|{waits_for}|{place}"


def web(state: UnitState, detail: str = "") -> Unit:
    return Unit("shop-web-1", state, pid=7, invocation="id-web then", detail=detail)


def docker_says(box: Box, *containers: str, services: tuple[str, ...] = ()) -> None:
    (box.home / "bin" / "docker").write_text(DOCKER)
    names = [line.split("|")[1] for line in containers]
    (box.home / "ps").write_text("".join(f"id-{name}|{name}|/srv\n" for name in names))
    (box.home / "inspect").write_text("".join(f"{line}\n" for line in containers))
    (box.home / "config").write_text(CONFIG.format(services="".join(f"  {name}:\n" for name in services)))


def run(box: Box, manager: Manager, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as the agent does."""
    return box.run(f"exec 2>&1\n{command}", ROLLBACK_FUNCTIONS=manager.functions, ROLLBACK_STATE=str(box.home))


def says(box: Box, manager: Manager, command: str) -> str:
    return run(box, manager, command).stdout


def holds(box: Box, manager: Manager, command: str) -> bool:
    return run(box, manager, command).returncode == 0


STATES = [
    (container("running"), web("running")),
    (container("running", health="healthy"), web("running")),
    (container("running", health="starting"), web("starting", "starting")),
    (container("running", health="unhealthy"), web("failed", "unhealthy")),
    (container("running", health="a word of tomorrow"), web("unknown", "a word of tomorrow")),
    (container("paused"), web("paused")),
    (container("restarting", code=1), web("starting", "restarting")),
    (container("created"), web("stopped", "created")),
    (container("exited"), web("stopped")),
    (container("stopped"), web("stopped", "stopped")),
    (container("exited", code=143), web("stopped")),
    (container("exited", code=137), web("failed", "exit code 137")),
    (container("removing"), web("stopping", "removing")),
    (container("dead"), web("failed", "dead")),
    (container("a word of tomorrow"), web("unknown", "a word of tomorrow")),
]


@pytest.mark.parametrize(("line", "unit"), STATES, ids=[f"{u.state} {u.detail}" for _, u in STATES])
def test_the_host_and_the_parser_agree_on_each_state(line: str, unit: Unit, box: Box) -> None:
    for settings in (service("compose", "web", project="shop"), service("compose", project="shop")):
        manager = managers.build(settings, "rosey")
        docker_says(box, line)
        assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (unit,)
        assert holds(box, manager, manager.running) == (unit.state == "running")
        stopped = line.split("|")[7] in ("created", "exited", "stopped", "dead")
        assert holds(box, manager, manager.stopped) == stopped


def test_a_job_whose_end_another_service_waits_for_has_finished(box: Box) -> None:
    waiting = container("running", waits_for="db:service_healthy:true,job:service_completed_successfully:false")
    job = Unit("shop-job-1", "finished", pid=7, invocation="id-job then")
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")

    docker_says(box, waiting, container("exited", "job"), services=("job",))
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (web("running"), job)
    assert holds(box, manager, manager.running)

    docker_says(box, waiting, container("exited", "job", code=1), services=("job",))
    failed = Unit("shop-job-1", "failed", pid=7, invocation="id-job then", detail="exit code 1")
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (web("running"), failed)
    assert not holds(box, manager, manager.running)


def test_what_a_real_host_said_is_read() -> None:
    assert managers.parse(service("compose"), "shop", REAL) == (
        Unit(
            "shop-web-1",
            "running",
            pid=14574,
            restarts=2,
            invocation="3838757bca5f 2026-11-27T08:21:00.322244127Z",
        ),
        Unit("shop-job-1", "finished", invocation="f7bc056ab390 2026-11-27T08:20:59.689988168Z"),
    )


def test_only_services_of_the_live_release_count(box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box, container("running"), container("exited", "orphan", code=1))
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (web("running"),)
    assert holds(box, manager, manager.running)
    docker_says(box, container("exited"), container("running", "orphan"))
    assert not holds(box, manager, manager.stopped), "what only another release has is to be stopped, too"


def test_a_service_without_a_container_does_not_run(box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box, container("running"), services=("worker",))
    assert not holds(box, manager, manager.running)
    worker = Unit("worker", "stopped", detail="no container")
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (web("running"), worker)


@pytest.mark.parametrize("none", ["    scale: 0\n", "    deploy:\n      replicas: 0\n"])
def test_a_service_that_is_to_have_no_container_needs_none(none: str, box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box, container("running"))
    (box.home / "config").write_text(CONFIG.format(services=f"  off:\n{none}"))
    assert holds(box, manager, manager.running)
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (web("running"),)


def test_a_project_without_containers_is_stopped(box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box)
    stopped = Unit("web", "stopped", detail="no container")
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (stopped,)
    assert holds(box, manager, manager.stopped)
    assert not holds(box, manager, manager.running)


@pytest.mark.parametrize("answer", ["Cannot connect to the Docker daemon", "permission denied"])
def test_where_docker_does_not_answer_nothing_is_known_and_nothing_may_be_changed(answer: str, box: Box) -> None:
    settings = service("compose", "web", project="shop")
    manager = managers.build(settings, "rosey")
    (box.home / "bin" / "docker").write_text(f"#!/bin/sh\necho {answer} >&2\nexit 1\n")
    (unit,) = managers.parse(settings, "rosey", says(box, manager, manager.state))
    assert (unit.name, unit.state) == ("shop", "unknown")
    assert answer in unit.detail
    for line in (manager.running, manager.stopped, manager.stop, manager.kill, manager.start):
        assert not holds(box, manager, line)
    (silent,) = managers.parse(settings, "rosey", "")
    assert silent.state == "unknown"


def test_a_compose_file_that_cannot_be_used_is_a_failure_and_can_be_left(box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box, container("running"))
    script = (box.home / "bin" / "docker").read_text()
    (box.home / "bin" / "docker").write_text(script.replace('cat "$HOME/config"', "echo bad yaml; exit 1"))
    running, file = managers.parse(settings, "rosey", says(box, manager, manager.state))
    assert running == web("running")
    assert (file.state, file.blocker) == ("failed", "")
    assert "bad yaml" in file.detail
    assert not holds(box, manager, manager.running)


def test_a_project_that_is_also_started_from_another_root_is_not_touched(box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    elsewhere = str(box.home.parent)
    docker_says(box, container("running", place=elsewhere))
    running, project = managers.parse(settings, "rosey", says(box, manager, manager.state))
    assert running == web("running")
    assert (project.name, project.state) == ("shop", "unknown")
    assert elsewhere in project.detail


def test_units_that_the_live_release_does_not_have_are_missing(box: Box) -> None:
    settings = service("compose", "wbe", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box, container("running"))
    assert managers.parse(settings, "rosey", says(box, manager, manager.state)) == (Unit("wbe", "missing"),)
    assert not holds(box, manager, manager.running)


def test_docker_is_run_without_sudo(box: Box) -> None:
    manager = managers.build(service("compose", project="shop"), "rosey")
    for line in (manager.stop, manager.start):
        run(box, manager, f"export ROLLBACK_SUDO='sudo -n'; {line}")
    assert {call[0] for call in box.calls()} == {"docker"}


def test_a_host_with_compose_alone_and_no_plugin_is_served(box: Box) -> None:
    manager = managers.build(service("compose", project="shop"), "rosey")
    docker_says(box, container("running"))
    script = (box.home / "bin" / "docker").read_text()
    (box.home / "bin" / "docker").write_text(
        script.replace('case "$1 $4"', '[ "$1" != compose ] || exit 1\ncase "$1 $4"')
    )
    (box.home / "bin" / "docker-compose").write_text('#!/bin/sh\n[ "$1" = -p ] && cat "$HOME/config"\n')
    (box.home / "bin" / "docker-compose").chmod(0o755)
    assert holds(box, manager, manager.running)


def test_where_compose_itself_does_not_answer_the_state_is_unknown(box: Box) -> None:
    settings = service("compose", project="shop")
    manager = managers.build(settings, "rosey")
    docker_says(box, container("running"))
    script = (box.home / "bin" / "docker").read_text()
    broken = script.replace('case "$1 $4"', '[ "$1" != compose ] || { echo no such command; exit 1; }\ncase "$1 $4"')
    (box.home / "bin" / "docker").write_text(broken)
    (unit,) = managers.parse(settings, "rosey", says(box, manager, manager.state))
    assert (unit.state, unit.detail) == ("unknown", "no such command")


@pytest.mark.parametrize(
    ("printed", "blocked"),
    [
        (REAL, ""),
        ("unknown|shop|permission denied\n", "the state of the unit shop is unknown: permission denied\n"),
        ("services|\n", "its compose file has none of the units\n"),
        ("\n", "docker did not answer\n"),
    ],
)
def test_break_glass_reads_why_nothing_may_be_changed(printed: str, blocked: str) -> None:
    script = managers.reader(service("compose")).unstartable
    found = subprocess.run(["sed", "-n", script], input=printed, capture_output=True, text=True, check=True)
    assert found.stdout == blocked


def test_break_glass_sees_a_start_and_not_a_change_of_health() -> None:
    expression = managers.reader(service("compose")).identity

    def identity(line: str) -> str:
        words = ["grep", "-oE", "-e", expression]
        return subprocess.run(words, input=line, capture_output=True, text=True, check=True).stdout

    first = identity(container("running", health="starting"))
    assert identity(container("running", health="healthy")) == first
    assert identity(container("running").replace("|then|", "|later|")) != first
    assert identity(container("running").replace("|0|then", "|1|then")) != first
