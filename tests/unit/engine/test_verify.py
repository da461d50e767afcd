"""A verification on fake hosts: it always ends in time, and only a check that passed counts as a pass."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from rollback_ops.checks import Dial, HostProbe, NetworkProbe, build
from rollback_ops.config import CommandCheck, TcpCheck
from rollback_ops.core.errors import BadAnswer, Cancelled, ConnectionLost, HostUnreachable
from rollback_ops.core.health import CheckResult, Claim, Finding, Thresholds, Verification
from rollback_ops.core.model import HostCommand, ServiceState, Unit
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.questions import ask_once
from rollback_ops.engine.verify import verify
from tests.support.fakes import FakeHost, hanging, raising

PASSED, FAILED = Finding("passed", "ok"), Finding("failed", "not yet")
# Ends a verification at once, however long its deadline is: a test that needs no time does not depend on it.
GIVEN_UP = Finding("failed", "it crashed", final=True)


class Answers:
    """A check with prepared answers. It repeats the last one."""

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


def verified(
    checks: Mapping[str, HostProbe | NetworkProbe],
    *,
    host: FakeHost | None = None,
    deadline: float = 20.0,
    window: float = 0.0,
    interval: float = 0.05,
    within: float = 20.0,
    cancellation: Cancellation | None = None,
) -> Verification:
    thresholds = dict.fromkeys(checks, Thresholds(interval, window, deadline, failure_threshold=1))
    return verify(host or FakeHost(), checks, thresholds, within, Claim("run-1"), cancellation or Cancellation())


def verdicts(found: Verification) -> dict[str, tuple[str, str]]:
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


def test_without_a_window_one_pass_of_each_check_is_enough() -> None:
    found = verified({"one": Answers(PASSED), "two": Answers(PASSED)})
    assert found.healthy
    assert found.seconds < 10
    assert verdicts(found) == {"one": ("passed", "ok"), "two": ("passed", "ok")}


def test_a_check_runs_again_until_it_passes() -> None:
    found = verified({"slow": Answers(FAILED, FAILED, FAILED, PASSED)})
    assert found.healthy
    (check,) = found.checks
    assert 0.06 < check.seconds <= found.seconds


@pytest.mark.parametrize("window", [0.1, 0.3])
def test_health_has_to_last_for_the_window(window: float) -> None:
    found = verified({"one": Answers(PASSED), "two": Answers(FAILED, PASSED)}, window=window)
    assert found.healthy
    assert window <= found.seconds < window + 5


def test_a_check_that_flaps_is_unhealthy() -> None:
    flapping = Answers(*[PASSED, FAILED] * 5, GIVEN_UP)
    assert not verified({"flapping": flapping}, window=0.1, interval=0.01).healthy
    assert flapping.asked == 11


def test_a_check_that_hangs_is_unknown_at_the_deadline_and_delays_no_other(for_ever: threading.Event) -> None:
    checks = {"hangs": Answers(hung(for_ever)), "fine": Answers(PASSED)}
    found = verified(checks, deadline=0.2)
    assert not found.healthy
    assert 0.2 <= found.seconds < 10
    assert verdicts(found)["hangs"][0] == "unknown"
    assert verdicts(found)["fine"] == ("passed", "ok")


def test_a_check_that_hangs_after_it_passed_is_unknown_and_says_so(for_ever: threading.Event) -> None:
    checks = {"hangs": Answers(PASSED, hung(for_ever)), "fine": Answers(PASSED)}
    found = verified(checks, deadline=2.5, window=1.2)
    assert found.verdict == "unknown"
    verdict, detail = verdicts(found)["hangs"]
    assert verdict == "unknown"
    assert "no answer" in detail
    assert verdicts(found)["fine"] == ("passed", "ok")


def test_a_verification_never_outlasts_the_rest_of_the_run(for_ever: threading.Event) -> None:
    found = verified({"hangs": Answers(hung(for_ever))}, within=0.2)
    assert not found.healthy
    assert found.seconds < 10


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ConnectionLost("the connection was lost"), "the connection was lost"),
        (HostUnreachable("h1: no route"), "h1: no route"),
        (KeyError("a secret"), "KeyError"),
        (RecursionError(), "RecursionError"),
    ],
)
def test_a_check_that_raises_is_unknown_and_shows_no_secret(error: Exception, detail: str) -> None:
    found = verified({"breaks": Answers(raised(error)), "fine": Answers(PASSED)}, deadline=0.1)
    assert not found.healthy
    verdict, shown = verdicts(found)["breaks"]
    assert (verdict, detail in shown, "a secret" in shown) == ("unknown", True, False)
    assert verdicts(found)["fine"] == ("passed", "ok")


def test_a_check_that_raises_now_and_then_is_unhealthy() -> None:
    now_and_then: list[Finding | Callable[[], Finding]] = [PASSED, raised(ConnectionLost("cut"))] * 5
    breaks = Answers(*now_and_then, GIVEN_UP)
    assert not verified({"breaks": breaks}, window=0.1, interval=0.01).healthy
    assert breaks.asked == 11


def test_a_final_failure_ends_the_verification_at_once() -> None:
    dead = Finding("failed", "it crashed", final=True)
    found = verified({"dead": Answers(FAILED, dead), "fine": Answers(PASSED)}, window=15)
    assert not found.healthy
    assert found.seconds < 10
    assert verdicts(found)["dead"] == ("failed", "it crashed")


def test_a_signal_ends_the_verification_at_once(for_ever: threading.Event) -> None:
    cancellation = Cancellation()

    def interrupted() -> Finding:
        cancellation.ask(signal.SIGINT, 5)
        return hung(for_ever)()

    began = time.monotonic()
    with pytest.raises(Cancelled):
        verified({"hangs": Answers(interrupted)}, cancellation=cancellation)
    assert time.monotonic() - began < 10


def test_no_thread_goes_on_after_the_verification() -> None:
    before = set(threading.enumerate())
    assert verified({"one": Answers(PASSED), "two": Answers(PASSED)}).healthy
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


# --- questions to the host -------------------------------------------------------------------------------

COMMANDS = {name: CommandCheck(kind="command", run=name) for name in ("true", "test -e {release}")}


@dataclass
class AskedFor(FakeHost):
    """Notes how many commands each question has. ``commands`` is what happens before an answer to commands."""

    questions: list[int] = field(default_factory=list)
    commands: Callable[[], None] = lambda: None

    def ask(self, run: str, questions: Sequence[HostCommand] = ()) -> ServiceState:
        self.questions.append(len(questions))
        if questions:
            self.commands()
        return super().ask(run, questions)


def test_a_round_is_one_question_for_the_units_and_all_commands() -> None:
    host = AskedFor(answers={"test -e b2": 0})
    found = verified(build(COMMANDS, "b2"), host=host, window=0.3)
    assert found.healthy
    assert [check.kind for check in found.checks] == ["process", "command", "command"]
    assert 2 in host.questions
    # A machine that stands still for two seconds may ask for the units by themselves.
    assert host.questions.count(0) <= found.seconds / 2


def test_a_command_that_hangs_does_not_hide_that_the_service_is_down(for_ever: threading.Event) -> None:
    host = AskedFor(units=(Unit("bot", "failed"),), commands=hanging(for_ever))
    found = verified(build(COMMANDS, "b2"), host=host, deadline=60.0, within=60.0)
    assert not found.healthy
    assert found.seconds < 50
    assert verdicts(found)["process"][0] == "failed"


def test_each_command_gets_the_answer_to_its_own_question() -> None:
    host = FakeHost(answers={"test -e b2": 3})
    found = verified(build(COMMANDS, "b2"), host=host, deadline=0.2)
    assert not found.healthy
    assert {name: verdict for name, (verdict, _) in verdicts(found).items()} == {
        "process": "passed",
        "true": "passed",
        "test -e {release}": "failed",
    }


@pytest.mark.parametrize("error", [ConnectionLost("cut"), BadAnswer("no heading"), RuntimeError("a defect")])
def test_a_host_that_cannot_be_asked_is_unhealthy(error: Exception) -> None:
    host = FakeHost(before={"ask": raising(error)})
    found = verified(build(COMMANDS, "b2"), host=host, deadline=0.2)
    assert not found.healthy
    assert {verdict for verdict, _ in verdicts(found).values()} == {"unknown"}


def test_a_host_that_never_answers_is_unknown_soon_after_the_deadline(for_ever: threading.Event) -> None:
    host = FakeHost(before={"ask": hanging(for_ever)})
    found = verified(build({}, "b2"), host=host, deadline=0.2)
    assert (found.healthy, found.reachable) == (False, False)
    assert found.seconds < 10


def test_a_manager_that_reports_no_units_is_unhealthy() -> None:
    found = verified(build({}, "b2"), host=FakeHost(units=()), deadline=0.2)
    assert not found.healthy
    assert verdicts(found)["process"][0] == "unknown"


def test_a_crash_loop_is_unhealthy_although_the_service_runs_at_every_sample() -> None:
    host = FakeHost()

    def crash() -> None:
        restarts = len(host.did("ask")) // 4
        host.units = (Unit("bot", "running", pid=7 + restarts, restarts=restarts),)

    host.before = {"ask": crash}
    found = verified(build({}, "b2"), host=host, window=15)
    assert not found.healthy
    assert found.seconds < 10
    assert verdicts(found)["process"][0] == "failed"


def test_a_check_connects_from_the_host_or_the_runner_as_its_settings_say() -> None:
    for source in ("host", "runner"):
        check = TcpCheck.model_validate({"kind": "tcp", "address": "127.0.0.1:1", "from": source})
        host = FakeHost(dials=[])
        found = verified({"db": build({"db": check}, "b2")["db"]}, host=host, deadline=0.1)
        verdict, detail = verdicts(found)["db"]
        assert (verdict, "127.0.0.1:1" in detail) == ("failed", True)
        assert bool(host.dials) == (source == "host")


def test_results_are_in_the_order_of_the_settings() -> None:
    found = verified({name: Answers(PASSED) for name in "zax"})
    assert [check.name for check in found.checks] == ["z", "a", "x"]
    assert all(isinstance(check, CheckResult) for check in found.checks)


@pytest.mark.parametrize(("answers", "verdict"), [(True, "failed"), (False, "unknown")])
def test_the_silence_of_a_service_shows_something_only_where_its_host_answers(
    for_ever: threading.Event, answers: bool, verdict: str
) -> None:
    host = FakeHost(before={} if answers else {"ask": hanging(for_ever)})
    says_nothing = Finding("failed", "no answer", silent=True)

    def in_time() -> Finding:
        for_ever.wait(1.1)
        return says_nothing

    found = verified({**build({}, "r1"), "health": Answers(in_time)}, host=host, deadline=1.3, window=1.2)

    assert verdicts(found)["health"][0] == verdict
    assert found.verdict == ("unhealthy" if answers else "unknown")


@pytest.mark.parametrize("threads", [0, 1])
def test_a_check_that_no_thread_can_be_started_for_is_unknown_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    start, left = threading.Thread.start, iter(range(threads))

    def scarce(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    checks = {"one": Answers(PASSED), "two": Answers(PASSED)}
    found = verified(checks, deadline=0.3)
    assert (found.healthy, found.verdict) == (False, "unknown")
    assert found.checks[-1].finding.verdict == "unknown"
    asked = ask_once(FakeHost(), checks, 60, Cancellation())
    assert {finding.verdict for finding in asked.values()} == {"unknown"}


def test_a_check_is_asked_as_soon_as_there_is_a_thread_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refusals = threading.Thread.start, iter(range(3))

    def scarce(thread: threading.Thread) -> None:
        if next(refusals, None) is not None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    assert verified({"one": Answers(PASSED), "two": Answers(PASSED)}).healthy
