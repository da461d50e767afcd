"""Every way in which a release can behave: watched when it is live, and rolled back to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.lab import Lab
from tests.support.scene import WHY, released
from tests.support.waiting import Deploy

OLD, NEW = "b1", "b2"
_AT_ONCE = 7
CODES = {"nothing_to_do": 0, "succeeded": 0, "refused": 1, "verification_failed": 2, "failed": 4}


@dataclass(frozen=True)
class Managed:
    """``options`` are what makes both managers alike: what ended stays down. ``supervisorctl`` is asked less often."""

    start: str
    interval: str
    options: tuple[str, ...] = ()
    log: Mapping[str, str] = field(default_factory=dict)


MANAGERS = {
    "systemd": Managed("systemctl start", "1s"),
    "supervisor": Managed(
        "supervisorctl update",
        "2s",
        ("autorestart=false", "startretries=0", "stopwaitsecs=25", "stderr_logfile=/srv/%(program_name)s/error.log"),
        {"file": "error.log"},
    ),
}


@dataclass(frozen=True)
class Row:
    """What ``guard`` has to say of a live release (no trigger: it is well), and what a rollback to it comes to.

    ``evidence`` is a pattern of what both of them show.
    """

    trigger: str
    outcome: str
    evidence: str = ""
    deadline: str = "8s"
    # A busy machine is slow with every answer.
    latency: Mapping[str, str] = field(default_factory=dict)


# A busy machine sees it crash during the start already.
_CRASHED = "is (failed|stopped)|ERROR crashing, as this release does|does not start"
# What is well, or certainly is not, is done with long before that, but where a busy machine takes its time.
_AMPLE = "30s"
WELL = Row("", "succeeded", deadline=_AMPLE)
# Those that take longest come first.
TABLE = {
    "unhealthy": Row("verification-failed", "verification_failed", "status 503, expected 200"),
    "unhealthy_after_3s": Row("verification-failed", "verification_failed", "status 503, expected 200"),
    "unhealthy ignores_sigterm": Row("verification-failed", "verification_failed", "status 503, expected 200"),
    "wrong_release_name": Row("verification-failed", "verification_failed", 'release is "somebody-else"'),
    "database_gone": Row(
        "database-unreachable", "verification_failed", "exit status 1: ERROR the database does not answer"
    ),
    "slow_answers": Row(
        "health-timeout", "verification_failed", "at most 0.9 s are allowed", latency={"max_latency": "900ms"}
    ),
    "never_answers": Row("health-timeout", "verification_failed", "no answer within 2 s"),
    "slow_start_6s": WELL,
    "crash_at_once": Row("process-crash", "failed", _CRASHED, _AMPLE),
    "crash_after_2s": Row("process-crash", "failed", _CRASHED, _AMPLE),
    "logs_critical": Row("log-error", "verification_failed", "CRITICAL the database does not answer", _AMPLE),
    "bad_config": Row("config-invalid", "refused", "exit status 1: ERROR config.json: the token is missing", _AMPLE),
    "ignores_sigterm": WELL,
    "healthy": WELL,
}
# What a manager other than systemd sees, logs or kills in its own way; what HTTP answers is the same under both.
OF_MANAGERS = ("slow_start_6s", "crash_at_once", "crash_after_2s", "logs_critical", "ignores_sigterm", "healthy")
# One of each kind of evidence; `make long` has the whole table, and with it every manager.
CORE = ("unhealthy_after_3s", "never_answers", "crash_after_2s", "logs_critical", "bad_config", "healthy")
# They would be well, or dead, before anybody looks at them.
NOT_WAITED_FOR = ("slow_start_6s", "crash_at_once", "crash_after_2s")


@dataclass(frozen=True)
class Came:
    """What became of it: the exit code, the record, and the host itself. ``told`` is for whoever reads a failure."""

    code: int
    outcome: str
    trigger: str
    live: str
    answers: str | None
    evident: bool = True
    told: str = field(default="", compare=False)

    @classmethod
    def of(cls, ended: Ended, service: Deployed, row: Row) -> Came:
        record, (host,) = ended.document, ended.document["hosts"]
        assert record["exit_code"] == ended.code
        details = [host["detail"], *(check["detail"] for check in host["checks"]), *record["warnings"]]
        told = " / ".join([record["reason"], *details])
        evident = re.search(row.evidence, told) is not None
        return cls(ended.code, record["outcome"], record["trigger"], service.live(), released(service), evident, told)


def guarded(row: Row) -> Came:
    """The result of ``guard`` for a live release."""
    if not row.trigger:
        return Came(0, "nothing_to_do", "manual", NEW, NEW)
    return Came(2, "succeeded", row.trigger, OLD, OLD)


def rolled_back_to(behaviour: str, row: Row) -> Came:
    live = NEW if row.outcome == "refused" else OLD
    answers = {"failed": None, "verification_failed": OLD}.get(row.outcome, live)
    name = {"wrong_release_name": "somebody-else", "never_answers": None}.get(behaviour, answers)
    return Came(CODES[row.outcome], row.outcome, "manual", live, name)


@dataclass(frozen=True)
class Stage:
    lab: Lab
    bring: Deploy
    directory: Path
    manager: str
    names: Collection[str]

    @property
    def table(self) -> dict[str, Row]:
        return {name: row for name, row in TABLE.items() if name in self.names}

    def plays(self, scene: Callable[[Stage, str, Row], Came]) -> dict[str, Came]:
        """The scene with several behaviours at the same time: most of them only wait for their window.

        More at once would make the host itself so slow that it answers nothing in time, which is another verdict.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(self.table, pool.map(lambda told: scene(self, *told), self.table.items()), strict=True))

    def deploy(self, behaviour: str, old: str, new: str) -> Deployed:
        managed = MANAGERS[self.manager]
        plan: dict[str, Any] = {"manager": self.manager, "releases": {OLD: old, NEW: new}, "options": managed.options}
        service = self.bring(start=False, **plan)
        service.host.run(f"{managed.start} {service.name}", check=False, timeout=60)
        if new not in NOT_WAITED_FOR:
            wait_until(service.listens, 60, f"{service.name} listening")
        return service

    def command(self, service: Deployed, row: Row) -> RollbackOps:
        directory = self.directory / service.name
        directory.mkdir()
        managed, ask = MANAGERS[self.manager], "python3 -ISB service.py"
        secrets = {"ROLLBACK_SSH_KEY": self.lab.private_key, "ROLLBACK_KNOWN_HOSTS": self.lab.known_hosts}
        rollback_ops = RollbackOps(directory, secrets)
        rollback_ops.settings(
            service.toml(
                pattern="b*",
                limits={"stop": "2s"},
                verify={"interval": managed.interval, "min_healthy_time": "3500ms", "healthy_deadline": row.deadline},
                checks={
                    "health": {
                        "kind": "http",
                        "url": f"http://localhost:{service.port}/health",
                        "json": {"release": "{release}"},
                        **row.latency,
                    },
                    "config": {"kind": "command", "run": f"{ask} config", "phase": "before"},
                    "database": {"kind": "command", "run": f"{ask} database", "trigger": "database-unreachable"},
                    "log": {"kind": "logs", **managed.log},
                },
            )
        )
        return rollback_ops


def under_guard(stage: Stage, behaviour: str, row: Row) -> Came:
    service = stage.deploy(behaviour, "healthy", behaviour)
    return Came.of(stage.command(service, row)("guard", "prod", "--json"), service, row)


def as_target(stage: Stage, behaviour: str, row: Row) -> Came:
    service = stage.deploy(behaviour, behaviour, "healthy")
    return Came.of(stage.command(service, row)("rollback", "prod", *WHY, "--json"), service, row)


@pytest.fixture(
    params=[
        pytest.param(("systemd", CORE), id="core"),
        pytest.param(("systemd", TABLE), id="systemd", marks=pytest.mark.long),
        pytest.param(("supervisor", OF_MANAGERS), id="supervisor", marks=pytest.mark.long),
    ]
)
def stage(lab: Lab, deploy: Deploy, tmp_path: Path, request: pytest.FixtureRequest) -> Stage:
    return Stage(lab, deploy, tmp_path, *request.param)


def test_guard_keeps_what_is_well_and_rolls_back_the_rest_with_the_trigger_that_it_shows(stage: Stage) -> None:
    assert stage.plays(under_guard) == {behaviour: guarded(row) for behaviour, row in stage.table.items()}


def test_a_rollback_says_how_well_its_target_is(stage: Stage) -> None:
    assert stage.plays(as_target) == {
        behaviour: rolled_back_to(behaviour, row) for behaviour, row in stage.table.items()
    }
