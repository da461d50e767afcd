"""``hold`` and ``gate``: what keeps a deployment back, and what a rollback holds by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.toml import dump
from tests.support.on_this_machine import OwnService

LOCAL = ("prod", "--local")
WHY = ("--reason", "loses messages")
COMMIT, ANOTHER = "c27d5e9b18" + "0" * 30, "91b07aa46e" + "0" * 30
THREE = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}
QUICK = {"min_healthy_time": "0s"}


def test_a_hold_stops_every_deployment_until_it_is_lifted(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", THREE) as service:
        rollback_ops.settings(service.toml())
        gate = ("gate", *LOCAL, "--revision", COMMIT)
        assert (rollback_ops(*gate).code, rollback_ops("hold", *LOCAL, "--json").document["holds"]) == (0, [])
        held = rollback_ops("hold", *LOCAL, *WHY, "--for", "2h", "--json")
        (hold,) = held.document["holds"]
        assert (held.code, hold["by"].partition("@")[0], hold["reason"]) == (0, "tester", "loses messages")
        stopped = rollback_ops(*gate, "--json")
        (objection,) = stopped.document["objections"]
        assert (stopped.code, stopped.document["may_be_deployed"]) == (1, False)
        assert (objection["by"], objection["until"]) == (hold["by"], hold["until"])
        assert "--lift" in objection["remedy"]
        assert rollback_ops(*gate, "--allow-bad").code == 1
        for command in ("list", "check"):
            assert "loses messages" in rollback_ops(command, *LOCAL).out
        assert rollback_ops("hold", *LOCAL, "--lift", "--reason", "it was the database").code == 0
        assert (rollback_ops(*gate).code, rollback_ops("hold", *LOCAL, "--json").document["held"]) == (0, False)


def test_a_rollback_holds_what_it_left_and_says_so(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", THREE) as service:
        (service.root / "releases/b3/REVISION").write_text(f"{COMMIT}\n")
        rollback_ops.settings(service.toml(verify=QUICK, hold={"for": "1h"}))
        done = rollback_ops("rollback", *LOCAL, *WHY, "--json").document
        (held,) = done["hold"]["releases"]
        assert (done["outcome"], held["release"], held["revision"]) == ("succeeded", "b3", COMMIT)
        (hold,) = rollback_ops("hold", *LOCAL, "--json").document["holds"]
        assert (hold["id"], hold["until"], hold["reason"]) == (done["id"], done["hold"]["until"], "loses messages")
        assert rollback_ops("gate", *LOCAL, "--revision", COMMIT[:7], "--allow-bad").code == 1
        assert rollback_ops("gate", *LOCAL, "--release", "b3").code == 1
        assert rollback_ops("gate", *LOCAL, "--revision", ANOTHER, "--release", "b4").code == 0
        (record,) = rollback_ops("history", "list", "--local", "--env", "prod", "--json").document["records"]
        assert record["hold"] == done["hold"]


@pytest.mark.parametrize(("after", "held"), [("all", True), ("none", False)])
def test_the_settings_say_what_a_rollback_holds(
    rollback_ops: RollbackOps, tmp_path: Path, after: str, held: bool
) -> None:
    with OwnService(tmp_path / "bot", THREE) as service:
        rollback_ops.settings(service.toml(verify=QUICK, hold={"after_rollback": after}))
        done = rollback_ops("rollback", *LOCAL, *WHY, "--json").document
        assert (done["hold"] is not None, rollback_ops("hold", *LOCAL, "--json").document["held"]) == (held, held)
        assert rollback_ops("gate", *LOCAL, "--revision", ANOTHER).code == held


def test_who_goes_forward_again_holds_nothing(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", THREE) as service:
        rollback_ops.settings(service.toml(verify=QUICK))
        assert rollback_ops("rollback", *LOCAL, *WHY).code == 0
        forward = rollback_ops("rollback", *LOCAL, "--to", "b3", "--reason", "it was the database", "--json").document
        assert (forward["to"]["release"], forward["hold"]) == ("b3", None)


def test_a_revision_that_is_bad_in_one_environment_is_stopped_in_the_other(
    rollback_ops: RollbackOps, tmp_path: Path
) -> None:
    for environment, release in (("test", "t7"), ("prod", "b1")):
        place = tmp_path / environment / "releases" / release
        place.mkdir(parents=True)
        (place / "REVISION").write_text(f"{COMMIT if environment == 'test' else ANOTHER}\n")
        (tmp_path / environment / "current").symlink_to(place)
    service = {"root": f"{tmp_path}/{{environment}}", "manager": "custom",
               "commands": {"start": "true", "stop": "true", "status": "true"}}  # fmt: skip
    rollback_ops.settings(dump({"services": {"bot": service}, "environments": {"prod": {}, "test": {}}}))
    gate = ("gate", *LOCAL, "--revision", COMMIT)
    assert rollback_ops(*gate).code == 0
    assert rollback_ops("mark", "test", "t7", "bad", "--local", *WHY).code == 0
    (objection,) = rollback_ops(*gate, "--json").document["objections"]
    assert "loses messages" in objection["why"]
    assert (rollback_ops(*gate).code, rollback_ops(*gate, "--allow-bad").code) == (1, 0)
    assert rollback_ops("mark", "test", "t7", "clear", "--local", *WHY).code == 0
    assert rollback_ops(*gate).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("hold", "--for", "0s", *WHY),
        ("hold", "--for", "0", *WHY),
        ("hold", "--for", "31d", *WHY),
        ("hold", "--for", "1w", *WHY),
        ("hold", "--for", "1h"),
        ("hold", "--lift"),
        ("hold", "--lift", "--for", "1h", *WHY),
        ("gate",),
        ("gate", "--revision", "c27"),
        ("gate", "--revision", " "),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_host_is_asked(
    rollback_ops: RollbackOps, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    rollback_ops.settings(dump({"services": {"bot": {"root": str(tmp_path), "units": ["bot"]}},
                                "environments": {"prod": {"hosts": ["nobody@host.invalid"]}}}))  # fmt: skip
    command, *options = arguments
    said = rollback_ops(command, "prod", *options)
    assert (said.code, "host.invalid" in said.err) == (64, False), said.err


def test_a_gate_whose_hosts_cannot_be_asked_lets_nothing_pass(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    rollback_ops.settings(dump({"services": {"bot": {"root": str(tmp_path), "units": ["bot"]}},
                                "environments": {"prod": {"hosts": ["nobody@127.0.0.1:9"]}}}))  # fmt: skip
    assert rollback_ops("gate", "prod", "--revision", COMMIT).code == 1
