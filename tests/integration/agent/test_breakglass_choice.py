"""Break-glass chooses the release that ``make_plan`` chooses, and rejects the others for the same reasons."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rollback_ops.core.order import Order
from rollback_ops.core.plan import NothingToDo, Refusal, Selection, make_plan
from rollback_ops.hosts.agent import protocol
from tests.support.agent_sandbox import Sandbox
from tests.support.breakglass_sandbox import text_of
from tests.support.toolbox import tool

# A word for it, then a target or a reason, then what is rejected and the warnings.
Decision = list[Any]
HOST = "bot1"
UNCLEAR = "it cannot be told which of "
PROBLEMS = ("", "", "", "link", "empty", "being-deployed", "lacks bot.py")


@dataclass(frozen=True)
class Case:
    """The output of the program on the host, and the options of a person."""

    lines: tuple[str, ...]
    live: tuple[str, str, str]
    selection: Selection
    broken: Mapping[str, str]

    def expected(self) -> Decision:
        answer = protocol.Answer("survey")
        for line in ("rollback-ops\t1\tsurvey", "\t".join(("live", *self.live)), *self.lines, "end\t0"):
            answer.feed(line)
        survey = protocol.survey(HOST, answer.whole(), ())
        decision = make_plan([survey], self.selection, self.broken)
        if isinstance(decision, NothingToDo):
            return ["nothing", decision.why]
        rejected = [f"{r.release}\t{r.why}" for r in decision.rejected]
        if isinstance(decision, Refusal):
            return ["refused", decision.hosts.get(HOST, decision.why), rejected]
        (host,) = decision.hosts
        if host.action == "leave":
            return ["nothing", host.why]
        return ["plan", decision.target, rejected, list(decision.warnings)]

    def script(self) -> str:
        """The same for the shell."""
        variables = {
            "surveyed": "\n".join(("\t".join(("live", *self.live)), *self.lines)),
            "backup": self.selection.backup,
            "if_current": self.selection.if_current,
            "emergency": "yes" if self.selection.emergency else "",
            "ignore_deploy_lock": "yes" if self.selection.ignore_deploy_lock else "",
            "RO_ORDER": self.selection.order or "",
            "broken": "\n".join(f"broken\t{name}\t{why}" for name, why in self.broken.items()),
        }
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()) + "decide; tell\n"

    def in_order(self, decision: Decision) -> Decision:
        """The same decision, with what has no certain order sorted."""
        if self.selection.order == "natural":
            return decision
        what, why, *lists = decision
        return [what, UNCLEAR if UNCLEAR in why else why, *map(sorted, lists)]


def read(text: str) -> Decision:
    decision, target, why, rejected, warnings = text.split("\x02")
    if decision == "nothing":
        return ["nothing", why]
    if decision == "refused":
        return ["refused", why, rejected.splitlines()]
    return ["plan", target, rejected.splitlines(), warnings.splitlines()]


# Short, so that some are alike: runs of digits, leading zeros, and every sign that a name may have.
rarely = st.sampled_from((False, False, False, False, True))
words = st.from_regex(r"\A(?:[ab_]|[0-9]{1,3})(?:[.+:@~=,_-]|[ab]|0{0,2}[0-9]{1,3}){0,4}\Z")
versions = st.from_regex(r"\Av?1\.(?:0|10)(?:\.0)?(?:-(?:0|9|10|rc|rc1|rc\.1|rc\.a|-))?(?:\+x)?\Z")
commits = st.from_regex(r"\A(?:[0-9a-f]{7}|[0-9]{7}|[0-9]{7}|2024011)\Z")
kinds = (words, words, versions, commits, words | versions | commits)


def facts(draw: st.DrawFn, name: str) -> tuple[str, ...]:
    """The fields of one release in a survey, in their order."""
    mark, created, noted = (
        draw(st.sampled_from(f)) for f in (("", "good", "bad"), "-0123456789", ("", "", "0", "7", "8"))
    )
    problem = draw(st.sampled_from(PROBLEMS))
    left = draw(st.sampled_from(([], [], [f"left\t{name}\ta-run\ta drill"], [f"left\t{name}\ta-run\t"])))
    return f"release\t{name}\t{problem}\t\t{mark}\t", *left, f"modified\t{name}\t9\t{created}\t{noted}"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = draw(st.sampled_from(kinds))
    found = draw(st.lists(names, max_size=8, unique=True))
    some_name = st.sampled_from(found) if found else names
    state = draw(st.sampled_from((*["release"] * 8, "missing", "dangling", "elsewhere", "directory")))
    live = draw(st.one_of(some_name, names)) if state in ("release", "dangling") else ""
    path = "" if state in ("missing", "directory") else f"/srv/bot/releases/{live or 'x'}"
    lines = []
    if draw(rarely):
        lines.append(f"unfinished\t20240101T000000Z-00000001\t/srv/bot/releases/{draw(some_name)}\t{draw(some_name)}")
    if draw(rarely):
        lines.append(f"drill\t20240101T000000Z-00000003\t{draw(some_name)}\t{live or draw(some_name)}")
    log = draw(st.sampled_from((found, found, [], draw(st.lists(some_name, unique=True)))))
    lines += [f"logged\t{n}" for n in draw(st.permutations(log))]
    lines += [line for n in found for line in facts(draw, n)]
    lines += [
        "odd\t" + "".join(f"\\{byte:03o}" for byte in odd.encode())
        for odd in draw(st.sets(st.sampled_from(("a b", "-rf", "a;b", "é", "x" * 130)), max_size=1))
    ]
    if draw(rarely):
        left = draw(st.sampled_from(("0.00", "7.00")))
        lines.append(f"lease\t20240101T000000Z-00000002\tana@laptop\t\t2024-01-01T00:00:00Z\t{left}")
    trouble = (
        "blocker\tno-tool\tflock",
        "blocker\tnot-writable\t/srv/bot\tdeploy",
        "blocker\tno-sudo\t/bin/systemctl stop -- bot\tdeploy",
        "blocker\tno-sudo\t/bin/systemctl start -- bot\tdeploy",
        "blocker\tsudo-failed\tsystemctl stop -- bot\tdeploy\tsudo: {0}",
        "warning\tno-link-source\t/srv/bot/x",
        "deploying\t.dep/deploy.lock\t2024-01-01T00:00:00Z",
    )
    lines += draw(st.lists(st.sampled_from(trouble), max_size=2, unique=True)) if draw(rarely) else []
    sometimes = st.one_of(st.just(""), st.just(""), some_name, names)
    if_current = draw(st.sampled_from(("", "", "", live, "b1")))
    order: Order | None = draw(st.sampled_from((None, None, "natural", "semver", "deployed")))
    selection = Selection(
        draw(sometimes), if_current, draw(st.booleans()), order=order, ignore_deploy_lock=draw(rarely)
    )
    broken = draw(st.dictionaries(some_name, st.just("its files are not the sealed ones on bot1: x"), max_size=2))
    return Case(tuple(lines), (state, live, path), selection, broken)


class Chooser:
    """The functions of the installed program, told what a survey has found."""

    def __init__(self, directory: Path, shell: str) -> None:
        self._sandbox = Sandbox(directory, shell)
        if shell == "busybox":
            (self._sandbox.tools / "awk").symlink_to(tool(shell))
        self._file = directory / "chooser.sh"
        self._definitions = text_of(self._sandbox).removesuffix('break_glass "$@"\n') + (
            f"this_host={HOST} STATE=''\n"
            "tell() { printf '%s\\002%s\\002%s\\002%s\\002%s\\003' "
            '"$decision" "$target" "$why" "$(of rejected)" "$(of warning)"; }\n'
        )

    def choose(self, asked: list[Case]) -> list[Decision]:
        self._file.write_text(self._definitions + "".join(case.script() for case in asked))
        done = subprocess.run(
            [str(self._sandbox.tools / "sh"), str(self._file)],
            env={"PATH": self._sandbox.path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == ""
        return [read(text) for text in done.stdout.split("\x03")[:-1]]


@pytest.fixture(scope="module", params=["dash", pytest.param("busybox", marks=pytest.mark.long)])
def chooser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chooser:
    return Chooser(tmp_path_factory.mktemp("chooser"), str(request.param))


# The case that differs is told as it is: to find the smallest one would take minutes.
@settings(
    max_examples=25,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(asked=st.lists(cases(), min_size=1, max_size=25))
def test_the_choice_of_break_glass_is_the_one_that_the_command_would_make(chooser: Chooser, asked: list[Case]) -> None:
    for case, found in zip(asked, chooser.choose(asked), strict=True):
        assert case.in_order(found) == case.in_order(case.expected()), json.dumps([case.lines, case.live], indent=1)


def test_a_log_of_all_that_is_sound_says_nothing_of_the_place_of_the_rest(chooser: Chooser) -> None:
    lines = ["logged\ta", "logged\tb", "logged\tc", "release\tx\tlacks bot.py\t\t\t", "modified\tx\t9\t1\t"]
    for name, created in (("a", 2), ("b", 3), ("c", 4)):
        lines += [f"release\t{name}\t\t\tgood\t", f"modified\t{name}\t9\t{created}\t"]
    case = Case(tuple(lines), ("release", "c", "/srv/bot/releases/c"), Selection(order="deployed"), {})
    (found,) = chooser.choose([case])
    assert case.in_order(found) == case.in_order(case.expected())
    assert found[:2] == ["plan", "b"]


def test_of_two_names_that_differ_in_leading_zeros_only_one_is_older(chooser: Chooser) -> None:
    lines = [
        line for name in ("r1", "r01", "r001") for line in (f"release\t{name}\t\t\tgood\t", f"modified\t{name}\t9\t1\t")
    ]
    case = Case(tuple(lines), ("release", "r01", "/srv/bot/releases/r01"), Selection(), {})
    (found,) = chooser.choose([case])
    assert found == case.expected()
    assert found[:2] == ["plan", "r001"]


def test_a_name_beyond_ascii_is_shown_as_it_is_without_its_control_characters(chooser: Chooser) -> None:
    names = ("Müller 1", "a\x9b2J", "a\u202eb")
    lines = ["odd\t" + "".join(f"\\{byte:03o}" for byte in name.encode()) for name in names]
    case = Case(tuple(lines), ("missing", "", ""), Selection(emergency=True), {})
    (found,) = chooser.choose([case])
    assert sorted(line.partition("\t")[0] for line in found[2]) == ["'Müller 1'", "'a?2J'", "'a?b'"]
