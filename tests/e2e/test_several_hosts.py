"""One service on two hosts: one target for both, and what is said when they end differently."""

from __future__ import annotations

from typing import Any

from tests.support.command import RollbackOps
from tests.support.lab.plan import revision
from tests.support.scene import FIRST, SECOND, THIRD, WHY, Twins, at_once, listing, logins, pid, quick, released
from tests.support.waiting import begin, go_on, lingering, reach


def outcomes(document: dict[str, Any]) -> list[str]:
    return [host["outcome"] for host in document["hosts"]]


def test_all_hosts_are_rolled_back_at_the_same_time(rollback_ops: RollbackOps, twins: Twins) -> None:
    """None of them goes on before all of them have been seen to stop."""
    plan = {"releases": {"b1": "healthy", "b2": "healthy"}, "options": lingering("stop")}
    one, two = twins(plan, plan)
    rollback_ops.settings(quick(one, hosts=logins(one, two), pattern="b*", limits={"stop": "45s", "total": "2m"}))

    running = begin(rollback_ops)
    for service in (one, two):
        reach(running, service, "stop")
    for service in (one, two):
        go_on(service)
    ended = running.end(within=60)

    assert ended.code == 0, ended.err
    assert outcomes(ended.document) == ["succeeded", "succeeded"]
    assert [host["host"] for host in ended.document["hosts"]] == logins(one, two)
    assert released(one) == released(two) == "b1"


def test_the_target_is_one_release_that_all_hosts_have(rollback_ops: RollbackOps, twins: Twins) -> None:
    four = {f"b{number}": "healthy" for number in (1, 2, 3, 4)}
    one, two = twins({"releases": four}, {"releases": {name: four[name] for name in ("b1", "b2", "b4")}})
    two.host.write(f"{two.releases_directory}/b4/REVISION", f"{revision(4)}\n")
    rollback_ops.settings(quick(one, hosts=logins(one, two), pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert released(one) == released(two) == ended.document["to"]["release"] == "b2"
    rejected = {r["release"]: r["why"] for r in ended.document["rejected"]}
    assert logins(two)[0] in rejected["b3"]


def test_hosts_that_count_releases_differently_go_to_one_revision(rollback_ops: RollbackOps, twins: Twins) -> None:
    """What is b2 on one of them is b3 on the other, and b3 of both is not one release."""
    healthy = [{f"b{number}": "healthy" for number in numbers} for numbers in ((1, 2, 3), (2, 3, 4))]
    one, two = twins({"releases": healthy[0]}, {"releases": healthy[1]})
    rollback_ops.settings(quick(one, hosts=logins(one, two), pattern="b*"))

    refused = rollback_ops("rollback", "prod", "--to", "b3", *WHY, "--json")
    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (refused.code, ended.code) == (1, 0), ended.err
    assert (released(one), released(two)) == ("b2", "b3")
    assert (ended.document["to"]["release"], ended.document["to"]["revision"]) == (None, revision(2))
    assert [(host["from"]["release"], host["to"]["release"]) for host in ended.document["hosts"]] == [
        ("b3", "b2"),
        ("b4", "b3"),
    ]
    assert rollback_ops("list", "prod").code == 0


def test_a_release_that_one_host_marked_bad_is_chosen_for_none(rollback_ops: RollbackOps, twins: Twins) -> None:
    releases = {f"b{number}": "healthy" for number in (1, 2, 3)}
    one, two = twins({"releases": releases}, {"releases": releases})
    two.host.write(f"{two.state}/marks/b2.bad", "a run\n")
    rollback_ops.settings(quick(one, hosts=logins(one, two), pattern="b*"))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    assert released(one) == released(two) == "b1"
    why = {rejected["release"]: rejected["why"] for rejected in ended.document["rejected"]}["b2"]
    assert ("bad" in why, logins(two)[0] in why) == (True, True)


def test_hosts_that_ran_different_releases_come_together_on_one(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins({}, {"live": SECOND})
    rollback_ops.settings(quick(one, hosts=logins(one, two)))
    process = pid(two)

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert outcomes(ended.document) == ["succeeded", "nothing_to_do"]
    (warning,) = ended.document["warnings"]
    assert (SECOND in warning, THIRD in warning) == (True, True)
    assert released(one) == released(two) == SECOND
    assert pid(two) == process, "what runs the target already is left alone"
    assert ended.document["hosts"][1]["checks"] != [], "and is verified all the same"


def test_only_the_host_that_was_named_is_touched(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins({}, {})
    rollback_ops.settings(quick(one, hosts=logins(one, two)))
    files, process = listing(one), pid(one)

    ended = rollback_ops("rollback", "prod", *WHY, "--host", logins(two)[0], "--json")

    assert ended.code == 0, ended.err
    assert [host["host"] for host in ended.document["hosts"]] == logins(two)
    assert released(two) == SECOND
    assert (listing(one), pid(one), released(one)) == (files, process, THIRD)


def test_5_hosts_that_end_differently_are_each_told_of(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins(
        {"releases": {"b1": "healthy", "b2": "healthy"}}, {"releases": {"b1": "unhealthy", "b2": "healthy"}}
    )
    rollback_ops.settings(at_once(one, hosts=logins(one, two), pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"], ended.document["exit_code"]) == (5, "partial", 5)
    assert outcomes(ended.document) == ["succeeded", "verification_failed"]
    assert [(service.health() or {}).get("status") for service in (one, two)] == ["ok", "unhealthy"]
    listed = rollback_ops("list", "prod", "--json").document["hosts"]
    assert [next(r["mark"] for r in host["releases"] if r["name"] == "b1") for host in listed] == ["good", "bad"]


def test_5_a_host_where_nothing_starts_does_not_keep_the_other_from_its_rollback(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    notify = {"options": ["Type=notify"]}
    one, two = twins(
        {"releases": {"b1": "crash_at_once", "b2": "healthy"}, **notify},
        {"releases": {"b1": "healthy", "b2": "healthy"}, **notify},
    )
    rollback_ops.settings(quick(one, hosts=logins(one, two), pattern="b*"))
    ended = rollback_ops("rollback", "prod", *WHY)
    assert ended.code == 5
    assert f"{logins(one)[0]}: failed" in ended.out
    assert f"{logins(two)[0]}: succeeded" in ended.out
    assert not one.is_running()
    assert released(two) == "b1"


def test_5_the_second_run_goes_on_with_the_first_one_and_takes_no_host_further_back(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    one, two = twins({}, {})
    rollback_ops.settings(quick(one, hosts=logins(one, two)))
    with two.host.refusing():
        would = rollback_ops("check", "prod")
        first = rollback_ops("rollback", "prod", *WHY, "--json")
        process = pid(one)
        told = rollback_ops("check", "prod")
        listed = rollback_ops("list", "prod", "--json")
        second = rollback_ops("rollback", "prod", *WHY, "--json")
    third = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (would.code, f"{THIRD} → {SECOND}" in would.out.splitlines()[0]) == (5, True), would.out
    assert (first.code, outcomes(first.document)) == (5, ["succeeded", "unreachable"]), first.err
    assert (told.code, f"{SECOND} already" in told.out.splitlines()[0]) == (5, True), told.out
    assert listed.document["target"] == SECOND
    assert (second.code, outcomes(second.document)) == (5, ["nothing_to_do", "unreachable"]), second.err
    assert any(first.document["id"] in warning and "--to" in warning for warning in second.document["warnings"])
    assert (third.code, outcomes(third.document)) == (0, ["nothing_to_do", "succeeded"]), third.err
    assert (released(one), released(two), pid(one)) == (SECOND, SECOND, process)
    further = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (further.code, further.document["to"]["release"]) == (0, FIRST), "all is done: this one is a new rollback"


def test_a_release_that_is_still_live_on_one_host_only_is_taken_out_there(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    one, two = twins({}, {"live": SECOND})
    rollback_ops.settings(quick(one, hosts=logins(one, two)))
    files = listing(two)
    ended = rollback_ops("rollback", "prod", *WHY, "--if-current", THIRD, "--json")
    assert ended.code == 0, ended.err
    assert outcomes(ended.document) == ["succeeded", "nothing_to_do"]
    assert (released(one), listing(two)) == (SECOND, files)


def test_one_rollback_is_one_line_of_the_history_of_both_hosts(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins({}, {})
    rollback_ops.settings(quick(one, hosts=logins(one, two)))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    records = rollback_ops("history", "list", "--json").document["records"]
    assert [len(record["hosts"]) for record in records] == [2]


def test_a_host_that_was_down_learns_what_is_held_and_what_was_lifted(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins({}, {})
    rollback_ops.settings(quick(one, hosts=logins(one, two)))
    gate, why = ("gate", "prod", "--release", "b9"), ("--reason", "wait for the fix")
    only_two = ("--host", logins(two)[0])
    with two.host.refusing():
        assert rollback_ops("hold", "prod", *why).code == 1
        assert rollback_ops(*gate).code == 1
    assert (rollback_ops(*gate).code, rollback_ops(*gate, *only_two).code) == (1, 0)
    assert rollback_ops("hold", "prod").code == 0
    assert rollback_ops(*gate, *only_two).code == 1
    with two.host.refusing():
        assert rollback_ops("hold", "prod", "--lift", *why).code == 1
    assert (rollback_ops(*gate).code, rollback_ops(*gate, *only_two).code) == (0, 1)
    assert rollback_ops("hold", "prod").code == 0
    assert rollback_ops(*gate, *only_two).code == 0
