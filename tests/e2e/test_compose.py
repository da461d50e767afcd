"""Rollbacks of a Compose project, on a real engine, with the real docker and Compose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.engine import NO_IMAGE, ComposeProject, Engine, crashing, engine, server
from tests.support.scene import PATIENT, QUICK, WHY

__all__ = ["engine"]
# One engine for all.
pytestmark = pytest.mark.xdist_group("compose")

# The checks are asked for long enough to see a second start.
SEEN = {"min_healthy_time": "2s", "healthy_deadline": "15s"}
ROLLBACK = ("rollback", "prod", "--local", *WHY, "--json")


@pytest.fixture
def project(engine: Engine, tmp_path: Path) -> Iterator[ComposeProject]:
    made = ComposeProject(engine, tmp_path / "shop", tmp_path.name.lower())
    yield made
    made.remove()


@pytest.fixture
def rollback_ops(engine: Engine, project: ComposeProject, tmp_path: Path) -> RollbackOps:
    command = RollbackOps(tmp_path, engine.environment)
    command.settings(project.toml(verify=QUICK))
    return command


@pytest.mark.parametrize("within", [pytest.param("releases", marks=pytest.mark.long), "current"])
def test_what_runs_after_a_rollback_has_the_files_of_the_target(
    within: str, project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    """A relative path in the compose file means what it meant at the deployment."""
    shared = {"releases": "../../shared", "current": "../shared"}[within]
    web = server(volumes=["./:/app", f"{shared}:/shared"])
    project.release("r1", web=web)
    project.release("r2", web=web)
    project.deploy("r1", within=within)
    project.deploy("r2", "--force-recreate", within=within)
    assert project.runs("r2")

    ended = rollback_ops(*ROLLBACK)

    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    assert project.runs("r1")
    assert (project.live, project.containers()) == ("r1", {"web": "running"})


def test_a_service_that_only_the_newer_release_has_is_gone_afterwards(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    project.release("r1", web=server())
    project.release("r2", web=server(), worker=server(volumes=["./:/app"], restart="always"))
    project.deploy("r1")
    project.deploy("r2")
    assert set(project.containers()) == {"web", "worker"}

    ended = rollback_ops(*ROLLBACK)

    assert ended.code == 0, ended.err
    assert project.containers() == {"web": "running"}


def test_of_the_units_those_count_that_the_release_has_and_others_are_left_alone(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    rollback_ops.settings(project.toml(verify=QUICK, units=["web", "worker"]))
    database = server(command=["sleep", "1000"], volumes=[])
    project.release("r1", web=server(), database=database)
    project.release("r2", web=server(), worker=server(restart="always"), database=database)
    project.deploy("r1")
    project.deploy("r2")
    before = project.started("database")

    ended = rollback_ops(*ROLLBACK)

    assert ended.code == 0, ended.err
    assert project.containers() == {"web": "running", "database": "running"}
    assert project.started("database") == before


def test_a_job_that_others_wait_for_has_finished_and_is_healthy(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    services = {
        "migrate": server(command=["true"]),
        "web": server(depends_on={"migrate": {"condition": "service_completed_successfully"}}),
        "nothing": server(scale=0),
    }
    project.release("r1", **services)
    project.release("r2", **services)
    project.deploy("r1")
    project.deploy("r2")

    ended = rollback_ops(*ROLLBACK)

    assert ended.code == 0, ended.err
    assert (project.live, project.containers()) == ("r1", {"migrate": "exited", "web": "running"})


def test_a_target_that_crashes_again_and_again_is_seen_and_the_origin_is_restored(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    rollback_ops.settings(project.toml(verify={**SEEN, "on_failure": "restore"}))
    project.release("r1", web=crashing())
    project.release("r2", web=server())
    project.deploy("r2")
    project.log_as_deployed("r1")

    ended = rollback_ops(*ROLLBACK)

    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    assert project.runs("r2")
    assert (project.live, project.containers()) == ("r2", {"web": "running"})


@pytest.mark.long
def test_guard_sees_that_the_live_release_crashes_again_and_again(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    rollback_ops.settings(project.toml(verify=SEEN))
    project.release("r1", web=server())
    project.release("r2", web=crashing())
    project.deploy("r1")
    project.deploy("r2")

    ended = rollback_ops("guard", "prod", "--local", "--json")

    assert (ended.code, ended.document["outcome"]) == (2, "succeeded"), ended.err
    assert (project.live, ended.document["trigger"]) == ("r1", "process-crash")


BROKEN = {
    "a missing image": ({"image": NO_IMAGE}, NO_IMAGE),
    "a variable that is not set": ({"image": "box:${NOBODY_SETS_THIS:?is needed}"}, "NOBODY_SETS_THIS"),
    "a missing env_file": ({"env_file": "nobody-has.env"}, "nobody-has.env"),
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param(*two, id=name, marks=() if name != "a missing env_file" else pytest.mark.long)
        for name, two in BROKEN.items()
    ],
)
def test_a_target_that_cannot_be_started_is_refused_before_anything_is_stopped(
    changes: dict[str, str], named: str, project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    project.release("r1", web=server(**changes))
    project.release("r2", web=server())
    project.deploy("r2")
    project.log_as_deployed("r1")
    before = project.started("web")

    assert rollback_ops("check", "prod", "--local").code == 1
    ended = rollback_ops(*ROLLBACK)

    assert (ended.code, ended.document["outcome"]) == (1, "refused"), ended.err
    assert named in ended.out
    assert (project.live, project.started("web")) == ("r2", before)


def test_a_start_that_fails_is_told_in_the_words_of_compose(project: ComposeProject, rollback_ops: RollbackOps) -> None:
    project.release("r1", web=server(command=["no-such-program"]))
    project.release("r2", web=server())
    project.deploy("r2")
    project.log_as_deployed("r1")

    ended = rollback_ops("rollback", "prod", "--local", *WHY)

    assert ended.code == 4, ended.err
    assert "no-such-program" in ended.err
    assert "r2 runs" not in ended.err


@pytest.mark.parametrize("ends", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_start_that_takes_longer_than_its_limit_goes_on_until_something_else_is_started(
    ends: bool, project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    """Compose, and not the engine, waits for dependencies."""
    rollback_ops.settings(project.toml(verify=QUICK, limits={"start": "3s"}))
    job = server(command=["sh", "-c", "until [ -e /shared/ready ]; do sleep 0.1; done"])
    web = server(depends_on={"job": {"condition": "service_completed_successfully"}})
    project.release("r1", job=job, web=web)
    project.release("r2", web=server())
    project.deploy("r2")
    project.log_as_deployed("r1")

    ended = rollback_ops(*ROLLBACK)

    assert (ended.code, ended.document["outcome"], project.live) == (2, "health_unknown", "r1"), ended.out
    if ends:
        (project.shared / "ready").touch()
        assert project.runs("r1")
    else:
        rollback_ops.settings(project.toml(verify=QUICK))
        back = rollback_ops(*ROLLBACK, "--to", "r2")
        assert back.code == 0, back.err
        assert project.runs("r2")
        assert (project.live, project.containers()) == ("r2", {"web": "running"})


def test_a_project_that_was_started_under_another_name_is_refused_and_the_name_is_told(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    """Without -p, Compose names a project after its directory, which is the release."""
    project.release("r1", web=server())
    project.release("r2", web=server())
    project.log_as_deployed("r1")
    other = f"{project.name}-r2"
    project.deploy("r2", project=other)
    try:
        ended = rollback_ops(*ROLLBACK)

        assert (ended.code, project.live, project.containers()) == (1, "r2", {}), ended.err
        assert other in ended.out
    finally:
        project.remove(other)


def test_where_the_engine_does_not_answer_nothing_is_changed(
    project: ComposeProject, rollback_ops: RollbackOps, tmp_path: Path
) -> None:
    project.release("r1", web=server())
    project.release("r2", web=server())
    project.deploy("r1")
    project.deploy("r2")

    for mode in ((), ("--emergency",)):
        ended = rollback_ops(*ROLLBACK, *mode, DOCKER_HOST=f"unix://{tmp_path}/nobody")

        assert (ended.code, ended.document["outcome"]) == (1, "refused"), ended.err
        assert f"{tmp_path}/nobody" in ended.out
    assert (project.live, project.containers()) == ("r2", {"web": "running"})


def test_the_files_and_the_profiles_that_a_release_chooses_in_its_env_are_its_own(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    """Nor does a variable of ours, or of whoever rolls back, hide one of the file."""
    for name, profiles in (("r1", "night"), ("r2", "")):
        place = project.release(name, web=server(command=["sh", "-c", "exit 7"]))
        services = {
            "web": server(environment={"SAYS": "$ROOT $LOGS $STATE"}),
            "jobs": server(volumes=[], command=["sleep", "1000"], profiles=["night"]),
        }
        (place / "production.yaml").write_text(json.dumps({"services": services}))
        chosen = {
            "COMPOSE_FILE": "production.yaml",
            "COMPOSE_PROFILES": profiles,
            "ROOT": name,
            "LOGS": "b",
            "STATE": "c",
        }
        (place / ".env").write_text("".join(f"{key}={value}\n" for key, value in chosen.items()))
    project.deploy("r2")
    project.log_as_deployed("r1")
    assert set(project.containers()) == {"web"}

    ended = rollback_ops(*ROLLBACK, ROOT="of whoever rolls back", COMPOSE_PROJECT_NAME="other", STATE="ours")

    assert ended.code == 0, ended.err
    assert project.containers() == {"web": "running", "jobs": "running"}
    environment = project.inspected("web", "{{json .Config.Env}}")
    assert "SAYS=r1 b c" in json.loads(environment)


def test_break_glass_refuses_and_rolls_back_as_the_command_does(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    project.release("r1", web=server())
    project.release("r2", web=server(image=NO_IMAGE))
    project.release("r3", web=server(), worker=server(volumes=[]))
    project.deploy("r1")
    project.deploy("r3")
    project.log_as_deployed("r2")
    assert rollback_ops("install", "prod", "--local").code == 0

    refused = project.break_glass("--backup", "r2", "--reason", "it fails")
    assert (refused.returncode, project.live) == (1, "r3"), refused.stderr
    assert NO_IMAGE in refused.stdout + refused.stderr

    done = project.break_glass("--backup", "r1", "--reason", "it fails")
    assert (done.returncode, project.live) == (0, "r1"), done.stderr
    assert project.runs("r1")
    assert project.containers() == {"web": "running"}


def test_a_live_release_whose_compose_file_is_broken_can_be_left(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    project.release("r1", web=server())
    place = project.release("r2", web=server(), worker=server(volumes=[]))
    project.deploy("r1")
    project.deploy("r2")
    (place / "compose.yaml").write_text("services: [")

    ended = rollback_ops(*ROLLBACK)

    assert ended.code == 0, ended.err
    assert project.runs("r1")
    assert (project.live, project.containers()) == ("r1", {"web": "running"})


def test_the_health_of_a_container_counts_and_one_that_was_not_started_is_stopped(
    project: ComposeProject, rollback_ops: RollbackOps
) -> None:
    """Podman has no state "dead" or "restarting", and pauses only what has a cgroup: Docker's words are unit tests."""
    rollback_ops.settings(project.toml(verify=PATIENT, checks={"process": {"kind": "process", "fail_fast": True}}))
    check = {"test": ["CMD-SHELL", "test -e /shared/well"], "retries": 1}
    project.release("r1", web=server())
    project.release("r2", web=server(healthcheck=check), job=server(profiles=["later"]))
    project.deploy("r1")
    project.deploy("r2")
    verify = ("verify", "prod", "--local", "--json")
    container = f"{project.name}-web-1"

    def process() -> dict[str, Any]:
        (host,) = rollback_ops(*verify).document["hosts"]
        (found,) = (check for check in host["checks"] if check["kind"] == "process")
        return {"outcome": found["outcome"], "detail": found["detail"]}

    assert process() == {"outcome": "failed", "detail": f"{container} is starting (starting)"}
    (project.shared / "well").touch()
    assert project.engine.ask_health(container) == "healthy"
    assert process()["outcome"] == "passed"
    project.engine.docker("compose", "-p", project.name, "create", "job", cwd=project.current)
    assert project.containers()["job"] == "created"
    with (project.current / ".env").open("w") as chosen:
        chosen.write("COMPOSE_PROFILES=later\n")
    assert process() == {"outcome": "failed", "detail": f"{project.name}-job-1 is stopped (created)"}
    (project.current / ".env").unlink()
    (project.shared / "well").unlink()
    assert project.engine.ask_health(container) == "unhealthy"
    assert process() == {"outcome": "failed", "detail": f"{container} is failed (unhealthy)"}

    assert rollback_ops(*ROLLBACK).code == 0
    assert project.runs("r1")
    listed = rollback_ops("list", "prod", "--local", "--json").document["hosts"][0]["releases"]
    assert {release["name"]: release["mark"] for release in listed} == {"r1": "good", "r2": "bad"}
