"""A run that is cancelled, or whose program is killed, in the middle of a rollback: nothing is lost."""

from __future__ import annotations

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, Bot, filed, states
from tests.support.act.run import Running
from tests.support.github_api.server import GitHubApi
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.scene import SECOND, journal, released
from tests.support.waiting import go_on, is_open, lease, lingering, wait_for_end

PROGRAM = "launch.py"


def begin(caller: Workflows, service: Deployed) -> Running:
    """A run whose host has just begun to change."""
    running = caller.start(reason=REASON)

    def has_begun() -> bool:
        running.must_go_on()
        return is_open(service)

    wait_until(has_begun, 60, "the beginning of the transaction")
    return running


def test_a_cancelled_run_lets_the_host_finish_and_says_what_it_did(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    api.latency = 0.4  # more than there is time for after a signal
    service = bot(options=lingering("stop"))
    running = begin(caller, service)
    running.cancel(PROGRAM)
    go_on(service)
    ran = running.end()

    assert (ran.journal.job, ran.journal.result("rollback/rollback")) == ("failure", "failure")
    record = ran.record
    assert (record["outcome"], record["exit_code"]) == ("cancelled", 130)
    (told,) = record["hosts"]
    assert (told["outcome"], told["to"]["release"]) == ("succeeded", SECOND)
    assert states(api)[-1] == "error"
    assert filed(api)["payload"]["outcome"] == "cancelled"
    assert ran.journal.outputs("rollback")["outcome"] == "cancelled"
    wait_for_end(service)
    assert (service.live(), released(service), lease(service)) == (SECOND, SECOND, "")
    assert journal(service)[-1]["outcome"] == "cancelled"


def test_the_last_step_closes_what_a_killed_program_has_left(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot(options=lingering("stop"))
    running = begin(caller, service)
    running.kill(PROGRAM)
    ran = running.end()
    assert (ran.journal.job, ran.journal.result("rollback/finish")) == ("failure", "success")
    record = ran.record
    assert (record["outcome"], [host["outcome"] for host in record["hosts"]]) == ("cancelled", ["unknown"])
    assert states(api)[-1] == "error"
    assert record["deployment"]["id"] == filed(api)["id"]
    outputs = ran.journal.outputs("rollback")
    assert (outputs["outcome"], outputs["exit-code"]) == ("cancelled", "143")
    go_on(service)
    wait_for_end(service)
    assert (service.live(), released(service)) == (SECOND, SECOND)
