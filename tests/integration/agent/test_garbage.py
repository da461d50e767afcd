"""Hosts that answer with anything at all: it ends as an error that can be explained, or as clean nouns."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_ops.config import Service
from rollback_ops.core.errors import BadAnswer, ConnectionLost, HostUnreachable, RollbackOpsError
from rollback_ops.core.model import HostCommand, Inspection, Release, StepReport, SwitchOrder
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection, make_plan
from rollback_ops.core.ports import Stream
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import protocol
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.lines import OutputReader
from rollback_ops.hosts.transport import Completed

OPERATIONS: dict[str, Callable[[AgentHost], Any]] = {
    "survey": lambda host: host.survey(),
    "inspect": lambda host: host.inspect("r1", [HostCommand("true", 1.0)]),
    "ask": lambda host: host.ask("run", [HostCommand("true", 1.0)]),
    "record": lambda host: host.record("run", {"r1": ("bad", "it fails")}, "{}"),
    "history": lambda host: host.journal(),
    "seal": lambda host: host.seal("r1"),
}
NOISE = random.Random(0).randbytes(300_000)


class Garbage:
    """A machine that prints the same bytes whatever it is asked to run, in pieces as a network makes them."""

    name = "bot1"

    def __init__(
        self, *pieces: bytes, status: int = 0, stderr: str = "", error: RollbackOpsError | None = None
    ) -> None:
        self._pieces = pieces
        self._completed = Completed(status, stderr)
        self._error = error
        self.commands: list[str] = []

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        self.commands.append(command)
        relay = OutputReader(on_line)
        relay.follow((("stdout", piece) for piece in self._pieces), timeout, self.name)
        if self._error:
            raise self._error
        relay.completed(0)
        return self._completed

    def converse(self, command: str, timeout: float) -> None:
        pass

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        raise ConnectionRefusedError

    def close(self) -> None:
        pass


def machine(*pieces: bytes, **ends: Any) -> AgentHost:
    return AgentHost(Garbage(*pieces, **ends), "true", parse("custom"), switch_within=0.2)


def parse(manager: str) -> Callable[[str], Any]:
    commands = {"commands": {"start": "true", "stop": "true", "status": "true"}} if manager == "custom" else {}
    service = Service.model_validate({"root": "/srv/x", "manager": manager, "units": ["web"], **commands})
    return partial(managers.parse, service, "web")


def answer(operation: str, *lines: str, end: str = "end\t0") -> bytes:
    return "\n".join([f"rollback-ops\t1\t{operation}", *lines, end, ""]).encode()


# --- bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([], "its answer has no heading"),
        ([b"\n\n\n"], "its answer has no heading"),
        ([b"This account is closed.\n"], r"its answer has no heading \(This account is closed\.\)"),
        ([NOISE], "its answer has no heading|a line of more than 64 KiB"),
        ([b"\0" * 1000], "its answer has no heading"),
        ([b"x" * 100_000], "a line of more than 64 KiB"),
        ([b"x" * 40_000, b"x" * 40_000], "a line of more than 64 KiB"),
        ([answer("something-else")], "its answer has no heading"),
        ([b"rollback-ops\t2\tsurvey\nend\t0\n"], "its answer has no heading"),
        ([b"<html>", b"404</html>"], r"its answer has no heading \(<html>404</html>\)"),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_no_answer_is_told_in_words(operation: str, pieces: Sequence[bytes], words: str) -> None:
    with pytest.raises(BadAnswer, match=words) as raised:
        OPERATIONS[operation](machine(*pieces))
    assert raised.value.message.isprintable()


def test_a_host_that_does_not_stop_printing_is_not_listened_to_for_ever() -> None:
    with pytest.raises(BadAnswer, match="more than 16 MiB"):
        machine(*[b"%s\n" % (b"x" * 60_000)] * 400).survey()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_that_was_cut_anywhere_is_no_answer(operation: str) -> None:
    whole = answer(operation, "live\trelease\tr1\t/srv/x/releases/r1\t", "release\tr1\t\t\t\t", "sealed\tr1\t3")
    OPERATIONS[operation](machine(whole))
    for cut in range(len(whole) - len("d\t0\n")):
        with pytest.raises(BadAnswer, match=r"has no heading|ends in the middle"):
            OPERATIONS[operation](machine(whole[:cut]))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("error", [ConnectionLost("bot1: gone"), HostUnreachable("bot1: gone")])
def test_a_lost_connection_is_an_error_of_its_own(operation: str, error: RollbackOpsError) -> None:
    with pytest.raises(type(error), match="bot1: gone"):
        OPERATIONS[operation](machine(answer(operation)[:-6], error=error))


def test_the_last_word_on_standard_error_is_part_of_the_message() -> None:
    with pytest.raises(BadAnswer, match=r"no heading \(sh: 1: +syntax error\)") as raised:
        machine(b"welcome\n", stderr="first\nsh: 1: \x1b\x07syntax error\n", status=2).survey()
    assert raised.value.message.isprintable()


def test_a_switch_that_nobody_can_follow_is_unknown_and_never_a_success() -> None:
    for pieces in ([], [NOISE], [answer("switch", "step\tstop\tok\t0.1\t")[:-6]], [b"x" * 100_000]):
        transport, told = Garbage(*pieces), list[StepReport]()
        host = AgentHost(transport, "true", parse("custom"), switch_within=0.2)
        began = time.monotonic()
        result = host.switch(SwitchOrder("run", "/srv/x/releases/r2", "r1", "tester", "{}"), told.append)
        assert (result.outcome, result.live) == ("unknown", "")
        assert "did not come back" in result.reason
        assert result.reason.isprintable()
        assert time.monotonic() - began < 30
        assert " switch " in transport.commands[0]
        assert all(" follow " in command for command in transport.commands[1:])


# --- lines that lie --------------------------------------------------------------------------------------


def survey(*lines: str) -> Any:
    return machine(answer("survey", "live\trelease\tr2\t/srv/x/releases/r2\t", *lines)).survey()


@pytest.mark.parametrize(
    "name", ["..", "../../etc", "/etc", "", "-rf", "a b", "$(id)", "a;b", "\x1b[31m", "é", "x" * 129, ".hidden"]
)
def test_a_release_that_a_host_cannot_have_listed_is_not_there(name: str) -> None:
    assert survey(f"release\t{name}\t\t\t\t").releases == ()


def test_numbers_that_are_none_are_left_out() -> None:
    for number in ("9" * 5000, "nan", "inf", "-1", "1e9", "0x10", "\u0661", "", " 1"):
        lines = (f"modified\tr1\t{number}", f"size\t{number}\tr1", f"lease\trun\tme\t\t\t{number}")
        found = survey("release\tr1\t\t\t\t", *lines)
        assert found.releases == (Release("r1"),), number
        assert found.lease is not None
        assert found.lease.expires_in == 0.0


def test_a_seal_with_a_count_that_is_none_was_not_made() -> None:
    with pytest.raises(RollbackOpsError, match="r1 could not be sealed"):
        machine(answer("seal", f"sealed\tr1\t{'9' * 5000}")).seal("r1")


def test_text_is_data_also_where_it_looks_like_a_format_or_a_command() -> None:
    found = survey("blocker\tread-only\t{0.__class__} %s \x1b]0;x\x07\u202e", "blocker\t{0}", "warning\t::error::x")
    assert found.blockers == ("the file system of {0.__class__} %s  ]0;x is read-only", "{0}")
    assert found.warnings == ("::error::x",)


def test_the_commands_that_sudo_refuses_are_one_line_for_sudoers() -> None:
    lines = [f"blocker\tno-sudo\tsystemctl {verb} -- {{a}}.service\tme" for verb in ("stop", "start")]
    (blocker,) = survey(*lines).blockers
    assert "`me ALL=(root) NOPASSWD: systemctl stop -- {a}.service, systemctl start -- {a}.service`" in blocker


def test_what_comes_after_the_end_is_no_part_of_the_answer() -> None:
    late = answer("survey", "live\tmissing\t\t\t") + b"live\trelease\tr1\t\nrelease\tr1\n" + answer("survey")
    found = machine(late).survey()
    assert (found.live.state, found.releases) == ("missing", ())


@pytest.mark.parametrize("line", ["", "live", "live\tsplendid\tr1\tx", "live\t\t\t", "lives\trelease\tr1\tx"])
def test_a_survey_that_does_not_say_what_is_live_is_no_survey(line: str) -> None:
    with pytest.raises(BadAnswer, match="does not say what is live"):
        machine(answer("survey", line)).survey()


def test_an_answer_of_a_check_cannot_speak_for_the_program() -> None:
    lines = ("said\t0\tend\t0", "said\t0\tanswered\t0\t0\t0.1", "said\t0\tmanifest\tok", "answered\t0\t7\t0.1")
    found = machine(answer("inspect", *lines)).inspect("r1")
    assert found == Inspection(answers=found.answers)
    assert (found.answers[0].status, found.answers[0].lines[0]) == (7, "end 0")


# --- anything ----------------------------------------------------------------------------------------------

TAGS: tuple[str, ...] = (
    "live",
    "release",
    "odd",
    "modified",
    "size",
    "lease",
    "unfinished",
    "blocker",
    "warning",
    "state",
    "manifest",
)
TAGS += ("said", "answered", "step", "result", "log", "sealed", "journal", "end", "", "rollback-ops")
WORDS = (
    "release",
    "dangling",
    "r1",
    "r2",
    "ok",
    "failed",
    "warning",
    "switched",
    "bad",
    "good",
    "yes",
    "0",
    "1.5",
    "97",
)
fields = st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")))
lines = st.lists(st.tuples(st.sampled_from(TAGS), st.lists(fields, max_size=6)), max_size=20)


def texts(value: Any) -> Iterable[str]:
    """Every text that a noun holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from texts(getattr(value, name))


@given(lines)
@settings(deadline=None, max_examples=100)
def test_any_lines_become_clean_nouns_or_a_bad_answer(said: list[tuple[str, list[str]]]) -> None:
    feed = protocol.Answer("survey")
    feed.feed("rollback-ops\t1\tsurvey")
    for tag, rest in said:
        feed.feed("\t".join([tag, *rest]))
    nouns: list[Any] = [
        protocol.inspected(feed),
        protocol.answers(feed),
        protocol.switched(feed.lines),
        protocol.sealed(feed),
    ]
    nouns += [protocol.step_report(line[1:]) for line in feed.lines]
    try:
        nouns.append(protocol.survey("bot1", feed, ()))
    except BadAnswer:
        pass
    else:
        plan = make_plan([nouns[-1]], Selection())
        assert isinstance(plan, Plan | Refusal | NothingToDo)
        assert not isinstance(plan, Plan) or protocol.SAFE_NAME.fullmatch(plan.target)
    for text in texts(nouns):
        assert len(text) <= 1000
        assert not set(text) & set("\n\r\t\0\x1b\x7f\x9b\u2028\u202e")


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
@settings(deadline=None, max_examples=100)
def test_any_bytes_in_any_pieces_are_an_explained_error(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    for operation in OPERATIONS.values():
        with pytest.raises(BadAnswer):
            operation(machine(*pieces))


@pytest.mark.parametrize("manager", ["systemd", "systemd-user", "supervisor", "compose", "custom"])
@given(text=st.text())
@settings(deadline=None, max_examples=50)
def test_any_state_is_read_as_some_units(manager: str, text: str) -> None:
    (unit,) = parse(manager)(text)
    assert "web" in unit.name
