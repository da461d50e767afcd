"""``guard`` on real hosts, as it stands at the end of a deploy workflow."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.lab import Lab
from tests.support.scene import PATIENT, WHY, Twins, at_once, checks, journal, logins, marks, pid, quick, released
from tests.support.waiting import Running, hear, kill, processes

Deploy = Callable[..., Deployed]

SICK = {"b1": "healthy", "b2": "unhealthy"}
# A watch that lasts until something happens.
LONG = {"min_healthy_time": "50s", "healthy_deadline": "60s"}


def begin(rollback_ops: RollbackOps, *arguments: str) -> Running:
    """A guard that has begun to watch."""
    running = Running(rollback_ops.start("guard", "prod", "--json", *arguments))
    hear(running, "watch")
    return running


# --- well ------------------------------------------------------------------------------------------------


def test_what_is_well_is_marked_good_and_left_alone(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "healthy"})
    rollback_ops.settings(quick(service, pattern="b*"))
    before = pid(service)

    ended = rollback_ops("guard", "prod")

    assert ended.code == 0, ended.err
    assert ended.out.startswith("✓ ")
    assert "b2" in ended.out.splitlines()[0]
    assert (service.live(), pid(service)) == ("b2", before)
    assert marks(rollback_ops) == {"b1": "", "b2": "good"}
    assert journal(service) == []


@pytest.mark.long
def test_a_handful_of_guards_on_noisy_healthy_services_give_no_false_alarm(
    lab: Lab, deploy: Deploy, tmp_path: Path
) -> None:
    slow_now_and_then = "python3 -ISBc 'import random, time; time.sleep(random.choice([0, 0, 0, 0.3, 1]))'"
    services = [deploy(releases={"b1": "healthy", "b2": "healthy"}) for _ in range(5)]

    def guard(service: Deployed) -> int:
        directory = tmp_path / service.name
        directory.mkdir()
        secrets = {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}
        rollback_ops = RollbackOps(directory, secrets)
        health = {"kind": "http", "url": f"http://localhost:{service.port}/health", "timeout": "9s"}
        noise = {"kind": "command", "run": slow_now_and_then}
        verify = {"min_healthy_time": "2s", "healthy_deadline": "60s"}
        rollback_ops.settings(service.toml(pattern="b*", verify=verify, checks={"health": health, "noise": noise}))
        return rollback_ops("guard", "prod").code

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(guard, services)) == [0] * 5
    assert [service.live() for service in services] == ["b2"] * 5


# --- unhealthy --------------------------------------------------------------------------------------------


def test_what_is_not_well_is_rolled_back_and_one_document_says_so_everywhere(
    rollback_ops: RollbackOps, deploy: Deploy, tmp_path: Path
) -> None:
    service = deploy(releases=SICK)
    rollback_ops.settings(at_once(service, pattern="b*"))

    ended = rollback_ops("guard", "prod", "--json", "--record", str(tmp_path / "record.json"))

    assert ended.code == 2, ended.err
    record = ended.document
    assert (record["outcome"], record["exit_code"]) == ("succeeded", 2)
    assert (record["trigger"], record["mode"]) == ("verification-failed", "standard")
    (login,) = logins(service)
    assert [word in record["reason"] for word in ("automatic", "b2", login, "health", "503")] == [True] * 5
    assert (record["from"]["release"], record["to"]["release"]) == ("b2", "b1")
    assert json.loads((tmp_path / "record.json").read_text()) == record == journal(service)[-1]
    assert service.live() == released(service) == "b1"
    assert marks(rollback_ops) == {"b1": "good", "b2": "bad"}


def test_people_are_told_what_was_not_well_and_what_became_of_it(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "crash_at_once"})
    rollback_ops.settings(quick(service, pattern="b*"))
    ended = rollback_ops("guard", "prod")
    assert ended.code == 2
    first = ended.out.splitlines()[0]
    assert "b2" in first
    assert "process-crash" in first
    assert "b2 → b1" in ended.out
    assert f"{service.name}.service" in ended.err


def test_a_service_that_is_restarted_again_and_again_is_a_process_crash(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    """It runs at nearly every sample."""
    options = ["Restart=always", "RestartSec=10ms", "StartLimitBurst=1000"]
    service = deploy(releases={"b1": "healthy", "b2": "crash_after_2s"}, options=options)
    verify = {"min_healthy_time": "3500ms", "healthy_deadline": "15s"}
    rollback_ops.settings(service.toml(pattern="b*", verify=verify, checks={}))
    ended = rollback_ops("guard", "prod", "--json")
    assert (ended.code, ended.document["trigger"]) == (2, "process-crash"), ended.err
    assert "restarted" in ended.document["reason"] or "starting" in ended.document["reason"]
    assert service.live() == released(service) == "b1"


def test_a_crash_during_the_watch_is_noticed_at_once(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "healthy"})
    rollback_ops.settings(service.toml(pattern="b*", verify={"min_healthy_time": "15s", "healthy_deadline": "60s"}))
    running = begin(rollback_ops)
    assert running.process.stderr is not None

    crashed = time.monotonic()
    service.host.run(f"kill -KILL {pid(service)}")
    next(line for line in running.process.stderr if "✗" in line)
    noticed = time.monotonic()

    ended = running.end(within=60)
    assert (ended.code, ended.document["trigger"]) == (2, "process-crash"), ended.err
    # Half a second, on a machine that has nothing else to do; the window has 15.
    assert noticed - crashed < 12
    assert service.live() == released(service) == "b1"


def test_one_host_that_is_not_well_takes_both_back(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins({"releases": {"b1": "healthy", "b2": "healthy"}}, {"releases": SICK})
    rollback_ops.settings(at_once(one, hosts=logins(one, two), pattern="b*"))

    ended = rollback_ops("guard", "prod", "--json")

    assert (ended.code, ended.document["outcome"]) == (2, "succeeded"), ended.err
    assert [host["outcome"] for host in ended.document["hosts"]] == ["succeeded", "succeeded"]
    assert [word in ended.document["reason"] for word in (logins(two)[0], "health", "503")] == [True] * 3
    assert released(one) == released(two) == "b1"


# --- hands off -------------------------------------------------------------------------------------------


def test_a_release_that_somebody_rolled_back_meanwhile_is_left_to_them(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases=SICK)
    rollback_ops.settings(quick(service, pattern="b*", verify=LONG))
    running = begin(rollback_ops)
    assert rollback_ops("rollback", "prod", *WHY, "--emergency").code == 0
    process = pid(service)

    ended = running.end(within=60)

    assert (ended.code, ended.document["outcome"]) == (6, "superseded"), ended.err
    assert ended.document["superseded_by"]["release"] == "b1"
    assert (released(service), pid(service)) == ("b1", process)
    assert len([line for line in journal(service) if "schema_version" in line]) == 1


def test_one_release_is_not_rolled_back_automatically_twice(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "crash_at_once"})
    rollback_ops.settings(quick(service, pattern="b*"))
    first = rollback_ops("guard", "prod", "--json")
    assert first.code == 2, first.err
    service.host.run(
        f"ln -sfn {service.releases_directory}/b2 {service.root}/current; systemctl restart {service.name}"
    )

    ended = rollback_ops("guard", "prod", "--json")

    assert (ended.code, ended.document["outcome"]) == (1, "refused"), ended.err
    assert first.document["id"] in ended.document["hosts"][0]["detail"]
    assert f"{service.name}.service" in ended.document["warnings"][0]
    assert service.live() == "b2"
    # A person may.
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert service.live() == "b1"


def test_no_more_are_rolled_back_than_the_limit_of_the_day_allows(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "crash_at_once", "b3": "crash_at_once"})
    rollback_ops.settings(quick(service, pattern="b*", guard={"max_per_day": 1}))
    assert rollback_ops("guard", "prod").code == 4, "b2 does not start either"
    ended = rollback_ops("guard", "prod", "--json")
    assert ended.code == 1, ended.err
    assert "max_per_day" in ended.document["hosts"][0]["detail"]
    assert service.live() == "b2"


def test_a_host_that_cannot_be_reached_is_refused_and_the_others_are_judged(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "healthy"})
    (login,), nobody = logins(service), f"root@{service.host.address}:9"
    rollback_ops.settings(quick(service, hosts=[nobody], pattern="b*"))
    alone = rollback_ops("guard", "prod", "--json")
    assert (alone.code, alone.document["outcome"]) == (1, "refused")
    assert [host["outcome"] for host in alone.document["hosts"]] == ["unreachable"]

    rollback_ops.settings(quick(service, hosts=[login, nobody], pattern="b*"))
    both = rollback_ops("guard", "prod", "--json")
    assert (both.code, both.document["outcome"]) == (5, "partial")
    assert [host["outcome"] for host in both.document["hosts"]] == ["nothing_to_do", "unreachable"]
    assert service.live() == "b2"
    assert marks(rollback_ops)["b2"] == "good"


def test_a_host_that_is_cut_off_during_the_watch_shows_nothing_and_nothing_is_rolled_back(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    plan = {"releases": {"b1": "healthy", "b2": "healthy"}}
    one, two = twins(plan, plan)
    settings = {"limits": {"connect": "5s"}, "verify": {"min_healthy_time": "10s", "healthy_deadline": "20s"}}
    rollback_ops.settings(one.toml(hosts=logins(one, two), pattern="b*", **settings))
    running = begin(rollback_ops)
    two.host.cut_network()
    try:
        ended = running.end(within=60)
    finally:
        two.host.restore_network()

    assert (ended.code, ended.document["outcome"]) == (1, "refused"), ended.err
    assert "b2" in ended.document["hosts"][0]["detail"]
    assert [one.live(), two.live()] == ["b2", "b2"]
    assert [released(one), released(two)] == ["b2", "b2"]


def test_a_signal_during_the_watch_ends_it_with_nothing_changed(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=SICK)
    rollback_ops.settings(quick(service, pattern="b*", verify=LONG))
    before = pid(service)
    running = begin(rollback_ops)
    running.signal(signal.SIGINT)
    ended = running.end(within=60)
    assert (ended.code, ended.document["outcome"], ended.document["exit_code"]) == (130, "cancelled", 130)
    assert (service.live(), pid(service)) == ("b2", before)
    assert marks(rollback_ops) == {"b1": "", "b2": ""}


# --- time ------------------------------------------------------------------------------------------------


def test_the_deadline_holds_whatever_a_check_does(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "never_answers", "b2": "healthy"})
    health = {"kind": "http", "url": f"http://localhost:{service.port}/health", "timeout": "60s"}
    hung = {"kind": "command", "run": "trap '' TERM INT HUP; sleep 61.5; sleep 62.5", "timeout": "60s"}
    verify = {"min_healthy_time": "0s", "healthy_deadline": "3s"}
    rollback_ops.settings(service.toml(pattern="b*", verify=verify, checks={"health": health, "hung": hung}))
    try:
        ended = rollback_ops("rollback", "prod", *WHY, "--json")
    finally:
        kill(service.host, "sleep 6[12].5")

    assert (ended.code, ended.document["outcome"]) == (2, "verification_failed"), ended.err
    found = {name: verdict for name, (verdict, _) in checks(ended.document).items()}
    # The service may not listen yet when it is asked first: that answer is a failure.
    assert (found["hung"], found["health"] in ("unknown", "failed")) == ("unknown", True)
    (verified,) = (step for step in ended.document["hosts"][0]["steps"] if step["name"] == "verify")
    assert 3 <= verified["seconds"] < 45
    assert service.live() == "b1"


def test_a_check_whose_command_ignores_that_its_time_is_over_is_answered_all_the_same(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases=dict.fromkeys(("b1", "b2"), "healthy"))
    run = "trap '' TERM; echo half; sleep 63.5; sleep 64.5"
    hung = {"kind": "command", "run": run, "timeout": "500ms", "fail_fast": True}
    rollback_ops.settings(quick(service, pattern="b*", verify=PATIENT, checks={"hung": hung}))
    ended = rollback_ops("verify", "prod", "--json")
    assert ended.code == 2, ended.err
    outcome, detail = checks(ended.document)["hung"]
    assert (outcome, "0.5 s" in detail, "half" in detail) == ("failed", True, True)
    # What was asked last may have its half second, and the second after which it is killed, still before it.
    wait_until(
        lambda: not processes(service.host, "sleep 6[34].5"), 30, "the end of what ignored its end", interval=0.1
    )


def test_what_a_command_leaves_in_the_background_does_not_hold_up_its_answer_and_is_ended(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "healthy"})
    careless = {"kind": "command", "run": "sleep 65.5 & echo fine"}
    rollback_ops.settings(quick(service, pattern="b*", checks={"careless": careless}))
    ended = rollback_ops("guard", "prod", "--json")
    assert ended.code == 0, ended.err
    assert checks(ended.document)["careless"] == ("passed", "fine")
    wait_until(lambda: not processes(service.host, "sleep 65.5"), 60, "the end of what the command left", interval=0.1)


# --- metrics ---------------------------------------------------------------------------------------------

# 50 requests a second, of which as many fail as the release's file says; the other host keeps the old release.
COUNT = 'n=$(cat "$ROLLBACK_CURRENT"/failing); t=$(date +%s); echo "$((t * n)) $((t * 50))"'
METRIC = {"kind": "metric", "source": "command", "run": COUNT, "tick": "1s", "warm_up": "0s", "window": "40s"}


def test_a_canary_whose_errors_are_worse_goes_back_and_one_that_is_not_stays(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    three = dict.fromkeys(("b1", "b2", "b3"), "healthy")
    canary, control = twins({"releases": three, "live": "b3"}, {"releases": three, "live": "b2"})
    for service in (canary, control):
        service.host.run(f"for each in {service.plan.releases_directory}/b*; do echo 1 >$each/failing; done")
    rollback_ops.settings(quick(canary, hosts=logins(canary, control), pattern="b*", checks={"errors": METRIC}))

    calm = rollback_ops("guard", "prod", "--json")
    assert (calm.code, canary.live()) == (0, "b3"), calm.err
    assert [each["verdict"] for each in calm.document["evidence"]] == ["not_worse"]

    canary.host.run(f"echo 10 >{canary.plan.releases_directory}/b3/failing")
    caught = rollback_ops("guard", "prod", "--json")
    assert (caught.code, caught.document["trigger"]) == (2, "metric-degraded"), caught.err
    assert [canary.live(), control.live()] == ["b2", "b2"]
    (evidence,) = caught.document["evidence"]
    assert evidence["verdict"] == "worse"
    assert evidence["e_worse"] >= evidence["needed"]
    assert journal(canary)[-1]["evidence"] == caught.document["evidence"]
