"""Verification as it runs: it ends in time whatever a check does, and nothing but evidence is a pass."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from rollback_ops.checks import Dial, HostProbe, NetworkProbe, build
from rollback_ops.config import CommandCheck, TcpCheck
from rollback_ops.core.errors import BadAnswer, Cancelled, ConnectionLost, HostUnreachable
from rollback_ops.core.health import CheckResult, Finding, Thresholds, Verification
from rollback_ops.core.model import Unit
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.verify import verify
from tests.support.fakes import FakeHost, hanging, raising

PASSED, FAILED = Finding("passed", "ok"), Finding("failed", "not yet")


class Answers:
    """A check that answers what it is told to, the last of it for ever."""

    kind = "http"
    source = "runner"

    def __init__(self, *findings: Finding | Callable[[], Finding]) -> None:
        self._findings = findings
        self.asked = 0

    def probe(self, dial: Dial) -> Finding:
        finding = self._findings[min(self.asked, len(self._findings) - 1)]
        self.asked += 1
        return finding if isinstance(finding, Finding) else finding()


@pytest.fixture
def for_ever() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def proven(
    checks: Mapping[str, HostProbe | NetworkProbe],
    *,
    host: FakeHost | None = None,
    deadline: float = 20.0,
    window: float = 0.0,
    interval: float = 0.05,
    within: float = 20.0,
    cancellation: Cancellation | None = None,
) -> Verification:
    thresholds = Thresholds(interval, window, deadline, failure_threshold=1)
    thresholds = dict.fromkeys(checks, thresholds)
    return verify(host or FakeHost(), checks, thresholds, within, "run-1", cancellation or Cancellation())


def said(found: Verification) -> dict[str, tuple[str, str]]:
    return {check.name: (check.finding.verdict, check.finding.detail) for check in found.checks}


def raised(error: Exception) -> Callable[[], Finding]:
    def probe() -> Finding:
        raise error

    return probe


def hung(until: threading.Event, then: Finding = PASSED) -> Callable[[], Finding]:
    def probe() -> Finding:
        until.wait(30)
        return then

    return probe


def test_checks_that_pass_at_once_are_believed_at_once_where_no_window_is_wanted() -> None:
    found = proven({"one": Answers(PASSED), "two": Answers(PASSED)})
    assert found.healthy
    assert found.seconds < 10
    assert said(found) == {"one": ("passed", "ok"), "two": ("passed", "ok")}


def test_a_check_is_asked_again_until_it_passes() -> None:
    found = proven({"slow": Answers(FAILED, FAILED, FAILED, PASSED)})
    assert found.healthy
    (check,) = found.checks
    assert 0.1 < check.seconds <= found.seconds


@pytest.mark.parametrize("window", [0.3, 0.8])
def test_health_has_to_last_and_at_most_one_interval_is_added(window: float) -> None:
    found = proven({"one": Answers(PASSED), "two": Answers(FAILED, PASSED)}, window=window)
    assert found.healthy
    assert window <= found.seconds < window + 5


def test_health_that_does_not_last_is_none() -> None:
    flapping = Answers(*[PASSED, PASSED, FAILED] * 20)
    found = proven({"flapping": flapping}, window=0.4, deadline=1.0)
    assert not found.healthy
    assert flapping.asked > 4


def test_a_check_that_hangs_for_ever_ends_at_the_deadline_and_holds_up_no_other(for_ever: threading.Event) -> None:
    checks = {"hangs": Answers(hung(for_ever)), "fine": Answers(PASSED)}
    found = proven(checks, deadline=0.4)
    assert not found.healthy
    assert 0.4 <= found.seconds < 10
    assert said(found) == {"hangs": ("unknown", "no answer before the deadline"), "fine": ("passed", "ok")}


def test_a_verification_never_takes_longer_than_is_left(for_ever: threading.Event) -> None:
    found = proven({"hangs": Answers(hung(for_ever))}, within=0.2)
    assert not found.healthy
    assert found.seconds < 10


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ConnectionLost("the connection was lost"), "the connection was lost"),
        (HostUnreachable("h1: no route"), "h1: no route"),
        (KeyError("a secret"), "the check broke: KeyError"),
        (RecursionError(), "the check broke: RecursionError"),
    ],
)
def test_a_check_that_raises_has_found_nothing_out(error: Exception, detail: str) -> None:
    found = proven({"breaks": Answers(raised(error)), "fine": Answers(PASSED)}, deadline=0.3)
    assert not found.healthy
    assert said(found) == {"breaks": ("unknown", detail), "fine": ("passed", "ok")}


def test_a_check_that_raises_now_and_then_breaks_the_streak() -> None:
    now_and_then: list[Finding | Callable[[], Finding]] = [PASSED, PASSED, raised(ConnectionLost("cut"))] * 20
    assert not proven({"breaks": Answers(*now_and_then)}, window=0.4, deadline=1.0).healthy


def test_hard_evidence_ends_it_at_once() -> None:
    dead = Finding("failed", "it crashed", final=True)
    found = proven({"dead": Answers(FAILED, dead), "fine": Answers(PASSED)}, window=15)
    assert not found.healthy
    assert found.seconds < 10
    assert said(found)["dead"] == ("failed", "it crashed")


def test_a_signal_ends_it_at_once(for_ever: threading.Event) -> None:
    cancellation = Cancellation()

    def interrupted() -> Finding:
        cancellation.ask(signal.SIGINT, 5)
        return hung(for_ever)()

    began = time.monotonic()
    with pytest.raises(Cancelled):
        proven({"hangs": Answers(interrupted)}, cancellation=cancellation)
    assert time.monotonic() - began < 10


def test_nothing_is_asked_any_more_once_it_is_over() -> None:
    before = set(threading.enumerate())
    assert proven({"one": Answers(PASSED), "two": Answers(PASSED)}).healthy
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


# --- what the host is asked ------------------------------------------------------------------------------

COMMANDS = {name: CommandCheck(kind="command", run=name) for name in ("true", "test -e {release}")}


def test_the_units_and_all_commands_are_one_operation_each_a_round() -> None:
    host = FakeHost(answers={"test -e b2": 0})
    found = proven(build(COMMANDS, "b2"), host=host)
    assert found.healthy
    assert [check.kind for check in found.checks] == ["process", "command", "command"]
    assert len(host.did("ask")) == 2


def test_each_command_has_the_answer_to_its_own_question() -> None:
    host = FakeHost(answers={"test -e b2": 3})
    found = proven(build(COMMANDS, "b2"), host=host, deadline=0.2)
    assert not found.healthy
    assert {name: verdict for name, (verdict, _) in said(found).items()} == {
        "process": "passed",
        "true": "passed",
        "test -e {release}": "failed",
    }


@pytest.mark.parametrize("error", [ConnectionLost("cut"), BadAnswer("no heading"), RuntimeError("a defect")])
def test_a_host_that_cannot_be_asked_is_not_healthy(error: Exception) -> None:
    host = FakeHost(before={"ask": raising(error)})
    found = proven(build(COMMANDS, "b2"), host=host, deadline=0.2)
    assert not found.healthy
    assert {verdict for verdict, _ in said(found).values()} == {"unknown"}


def test_a_host_that_never_answers_is_not_healthy(for_ever: threading.Event) -> None:
    host = FakeHost(before={"ask": hanging(for_ever)})
    found = proven(build({}, "b2"), host=host, deadline=0.2)
    assert not found.healthy
    assert found.seconds < 10


def test_a_manager_that_says_nothing_of_its_units_is_not_healthy() -> None:
    found = proven(build({}, "b2"), host=FakeHost(units=()), deadline=0.2)
    assert not found.healthy
    assert said(found) == {"process": ("unknown", "the manager did not say how its units are")}


def test_a_service_that_crashes_in_a_loop_is_found_out_although_it_runs_at_every_sample() -> None:
    host = FakeHost()

    def crash() -> None:
        restarts = len(host.did("ask")) // 4
        host.units = (Unit("bot", "running", pid=7 + restarts, restarts=restarts),)

    host.before = {"ask": crash}
    found = proven(build({}, "b2"), host=host, window=15)
    assert not found.healthy
    assert found.seconds < 10
    assert said(found)["process"][0] == "failed"


def test_a_connection_is_made_from_where_the_check_says() -> None:
    for source, refused_by in (("host", "Connection refused"), ("runner", "Connection refused")):
        check = TcpCheck.model_validate({"kind": "tcp", "address": "127.0.0.1:1", "from": source})
        host = FakeHost(dials=[])
        found = proven({"db": build({"db": check}, "b2")["db"]}, host=host, deadline=0.1)
        assert said(found)["db"] == ("failed", f"127.0.0.1:1: {refused_by}")
        assert bool(host.dials) == (source == "host")


def test_the_last_word_on_each_check_is_in_the_order_of_the_settings() -> None:
    found = proven({name: Answers(PASSED) for name in "zax"})
    assert [check.name for check in found.checks] == ["z", "a", "x"]
    assert all(isinstance(check, CheckResult) for check in found.checks)
