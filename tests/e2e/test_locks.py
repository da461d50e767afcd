"""One rollback at a time on a host: who holds it, for how long, and how it is taken from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from rollback_ops.config import Service
from rollback_ops.core.errors import ConnectionLost
from rollback_ops.core.model import ServiceId, SwitchOrder
from rollback_ops.core.ports import Stream
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent.bundle import render
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import LoginIdentity
from rollback_ops.hosts.ssh.transport import SshTransport
from rollback_ops.hosts.transport import Completed, Transport
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.lab import Lab
from tests.support.scene import FIRST, QUICK, SECOND, THIRD, WHY, journal, pid, quick, released
from tests.support.waiting import (
    STEPS,
    Deploy,
    begin,
    begin_and_reach,
    go_on,
    hear,
    is_open,
    lease,
    lingering,
    seen,
    wait_for_end,
)

# A verification that goes on for as long as a test wants: its target says that it is ill.
ILL = {FIRST: "healthy", SECOND: "unhealthy", THIRD: "healthy"}
LONG = {"min_healthy_time": "0s", "healthy_deadline": "30s"}


def reach_verification(service: Deployed) -> list[str]:
    """Wait until nothing but the verification goes on; the lease that it keeps alive, word by word."""
    wait_until(lambda: released(service) == SECOND and not is_open(service), 60, "the switch")
    return lease(service).rstrip("\n").split("\t")


@pytest.mark.parametrize("owner", ["root", "deploy"])
def test_a_host_that_a_rollback_is_changing_is_refused_to_another_one(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str
) -> None:
    service = deploy(owner=owner, options=lingering("stop"))
    rollback_ops.settings(quick(service))

    first = begin_and_reach(rollback_ops, service, "stop")
    before = pid(service)
    second = rollback_ops("rollback", "prod", *WHY, "--json", "--wait", "0s")

    assert second.code == 1, second.err
    assert "▸ wait" not in second.err
    assert second.document["outcome"] == "refused"
    assert (pid(service), service.live()) == (before, THIRD)
    go_on(service)
    held = first.end(within=60)
    assert held.code == 0, held.err
    (told,) = second.document["hosts"]
    assert told["outcome"] == "refused"
    for word in ("tester@", held.document["id"], f"{held.document['started_at'][:10]}T"):
        assert word in told["detail"]
    assert service.live() == released(service) == SECOND
    assert lease(service) == ""


def test_a_host_is_held_until_the_verification_has_ended(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=ILL)
    rollback_ops.settings(service.toml(verify=LONG))

    first = begin(rollback_ops)
    run, _, until, since, *_ = reach_verification(service)
    second = rollback_ops("rollback", "prod", *WHY, "--json")

    assert second.code == 1, second.err
    assert run in next(line for line in second.err.splitlines() if line.startswith("▸ wait"))
    detail = second.document["hosts"][0]["detail"]
    assert (since in detail, run in detail) == (True, True)
    assert service.live() == SECOND
    wait_until(lambda: lease(service).split("\t")[2] > until, 60, "the lease being renewed")
    assert lease(service).split("\t")[3] == since
    first.kill()


def test_of_two_rollbacks_at_once_exactly_one_is_carried_out(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    both = [begin(rollback_ops, "--wait", "0s"), begin(rollback_ops, "--wait", "0s")]
    wait_until(lambda: any(running.process.poll() is not None for running in both), 60, "the refusal of one of them")
    go_on(service)
    winner, loser = sorted((running.end(within=60) for running in both), key=lambda ended: ended.code)

    assert (winner.code, loser.code) == (0, 1), loser.err
    assert (winner.document["outcome"], loser.document["outcome"]) == ("succeeded", "refused")
    assert service.live() == released(service) == SECOND
    assert [line["id"] for line in journal(service) if line.get("event") == "intent"] == [winner.document["id"]]


def test_those_who_only_look_are_never_taken_for_somebody_who_holds_the_host(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    lock, asked = f"{service.state}/lock", f"{service.root}/asked"

    # As `list` asks whether the lock is held, only for longer.
    service.host.run(f"flock -s -n {lock} sh -c 'touch {asked}; exec sleep 20' >/dev/null 2>&1 &")
    wait_until(lambda: service.host.run(f"test -e {asked}", check=False).returncode == 0, 60, "the question")

    assert seen(rollback_ops)["lease"] is None


@pytest.mark.parametrize(
    ("owner", "moment", "target"),
    [pytest.param("root", "start-pre", FIRST, marks=pytest.mark.long), ("deploy", "stop", SECOND)],
)
def test_an_emergency_takes_the_host_over_from_a_rollback_that_hangs(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str, moment: str, target: str
) -> None:
    service = deploy(owner=owner, options=lingering(moment))
    rollback_ops.settings(quick(service))

    former = begin_and_reach(rollback_ops, service, moment)
    emergency = rollback_ops("rollback", "prod", *WHY, "--emergency", "--json")

    assert emergency.code == 0, emergency.err
    overtaken = former.end(within=60)
    assert overtaken.code == 6, overtaken.err
    (told,) = overtaken.document["hosts"]
    assert (told["outcome"], told["superseded_by"]["run"]) == ("superseded", emergency.document["id"])
    run = overtaken.document["id"]
    assert any(run in warning for warning in emergency.document["warnings"])
    (taker,) = emergency.document["hosts"]
    assert [step["name"] for step in taker["steps"]] == ["find", "break-lock", *STEPS]
    wait_for_end(service)
    assert service.live() == released(service) == target
    assert service.is_running()
    lines = journal(service)
    assert not [line for line in lines if line.get("id") == run and line.get("event") == "end"]
    after = next(n for n, line in enumerate(lines) if line["id"] == emergency.document["id"])
    assert {line.get("event") for line in lines[after:] if line["id"] == run} <= {"lost-lease", None}
    assert not is_open(service)
    assert lease(service) == ""


def test_what_a_runner_held_that_was_lost_while_it_verified_is_free_in_seconds(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases=ILL)
    rollback_ops.settings(service.toml(verify=LONG))

    running = begin(rollback_ops)
    reach_verification(service)
    running.kill()
    assert rollback_ops("rollback", "prod", *WHY, ROLLBACK_WAIT="0s").code == 1

    rollback_ops.settings(service.toml(verify=QUICK))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    assert "tester@" in next(line for line in ended.err.splitlines() if line.startswith("▸ wait"))
    assert service.live() == released(service) == FIRST


def test_a_living_owner_is_waited_for_and_what_it_did_is_where_the_next_one_begins(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    first = begin_and_reach(rollback_ops, service, "stop")
    second = begin(rollback_ops, "--wait", "2m")
    hear(second, "wait")
    go_on(service)

    assert first.end(within=60).code == 0
    ended = second.end(within=60)
    assert ended.code == 0, ended.err
    assert (ended.document["from"]["release"], ended.document["to"]["release"]) == (SECOND, FIRST)
    assert service.live() == released(service) == FIRST


def test_who_waits_for_a_release_to_be_left_has_nothing_to_do_when_that_was_done(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    first = begin_and_reach(rollback_ops, service, "stop")
    second = begin(rollback_ops, "--wait", "2m", "--if-current", THIRD)
    hear(second, "wait")
    go_on(service)

    assert first.end(within=60).code == 0
    ended = second.end(within=60)
    assert (ended.code, ended.document["outcome"]) == (0, "nothing_to_do"), ended.err
    assert service.live() == released(service) == SECOND


class BadLine:
    """An SSH connection that loses an order on its way, and delivers it when it is of no use any more."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.name = transport.name
        self._late = ""
        self.is_good = False

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        if " switch " in command and not self.is_good:
            self._late, self.is_good = command, True
            raise ConnectionLost("the line is bad")
        return self._transport.execute(command, on_line, timeout)

    def converse(self, command: str, timeout: float) -> None:
        """Each order has a session of its own, so that one of them can be lost."""

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        return self._transport.dial(host, port, timeout)

    def deliver(self) -> list[str]:
        """The answer of the host to the order that was lost."""
        lines: list[str] = []
        self._transport.execute(self._late, lines.append, 20)
        return lines

    def close(self) -> None:
        self._transport.close()


@pytest.fixture
def connect(lab: Lab) -> Iterator[Callable[[Deployed], tuple[AgentHost, BadLine]]]:
    lines: list[BadLine] = []

    def to(service: Deployed) -> tuple[AgentHost, BadLine]:
        described = Service(root=service.root, releases="backups/prod", pattern="backup_*", units=service.units)
        about = ServiceId(service.name, "prod")
        manager, parse = managers.build(described, service.name), partial(managers.parse, described, service.name)
        trust, identity = KnownHosts.from_text(lab.known_hosts), LoginIdentity.from_text(lab.private_key, "")
        lines.append(BadLine(SshTransport(f"root@{service.host.address}", [], identity, trust)))
        return AgentHost(lines[-1], render(about, described, manager), parse, 20), lines[-1]

    yield to
    for line in lines:
        line.close()


def test_a_host_where_something_was_deployed_since_it_was_looked_at_is_left_alone(
    deploy: Deploy, connect: Callable[[Deployed], tuple[AgentHost, BadLine]]
) -> None:
    service = deploy()
    host, line = connect(service)
    before = pid(service)

    stale = f"{service.releases_directory}/{SECOND}"
    order = SwitchOrder("run-1", stale, FIRST, "tester", '{"event":"intent","id":"run-1"}')
    line.is_good = True
    result = host.switch(order, lambda _: None)

    assert (result.outcome, result.live) == ("refused", THIRD)
    assert THIRD in result.reason
    assert (service.live(), pid(service)) == (THIRD, before)
    assert (lease(service), journal(service)) == ("", [])
    assert service.host.run(f"find {service.root} -name '*.rollback-*'").stdout == ""


def test_an_order_that_arrives_after_the_host_said_that_it_never_began_is_not_carried_out(
    deploy: Deploy, connect: Callable[[Deployed], tuple[AgentHost, BadLine]]
) -> None:
    service = deploy()
    host, line = connect(service)
    before = pid(service)

    order = SwitchOrder("run-2", f"{service.releases_directory}/{THIRD}", SECOND, "tester", "{}")
    result = host.switch(order, lambda _: None)
    answer = line.deliver()

    assert result.outcome == "refused"
    assert any(said.startswith("result\trefused") for said in answer)
    assert (service.live(), pid(service)) == (THIRD, before)
    assert journal(service) == []
