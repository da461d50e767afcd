"""Operations that are asked of the installed program, instead of being sent with it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollback_ops.config import Strategy
from rollback_ops.core.errors import BadAnswer, Refused
from rollback_ops.core.model import HostCommand, ServiceId, SwitchOrder
from rollback_ops.core.record import Record
from rollback_ops.core.rollout import Amount
from rollback_ops.core.schedule import note_of
from rollback_ops.core.stored_plan import StoredPlan, read_plan
from rollback_ops.engine.schedule import JournalSchedule
from rollback_ops.engine.strategy import resolve
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.agent.restricted import request
from rollback_ops.hosts.local import LocalTransport
from tests.support.agent_sandbox import BAD, GOOD, MACHINE, RUN
from tests.support.any_record import records
from tests.support.breakglass_sandbox import Standalone
from tests.support.records import record
from tests.unit.core.test_schedule import asked as plan_for_later

CHECKS = {"health": {"kind": "command", "run": "test {release} = r3 && echo 'all is $well'"}}
MINE = HostCommand("test r3 = r3 && echo 'all is $well'", 5.0)
NASTY = """it's "quoted" \\ $(touch canary) `id`; ünwell 🦄 %045 =x\\045"""


def line(event: str, **words: Any) -> str:
    """An event of RUN as the command writes it."""
    about = {"event": event, "id": RUN, "service": "rosey", "environment": "prod", "mode": "standard"}
    ways = {"from": "r3", "to": "r2", "at": "2024-01-01T00:00:00Z"}
    others = {key: value for key, value in words.items() if key not in ways}
    ways |= {key: value for key, value in words.items() if key in ways}
    return json.dumps(about | others | ways, separators=(",", ":"))


def record_line(**words: Any) -> str:
    return record(**{"id": RUN, "service": "rosey", **words}).model_dump_json(by_alias=True)


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Standalone:
    return Standalone(tmp_path, shell, checks=CHECKS)


@pytest.fixture
def asked(sandbox: Standalone) -> AgentHost:
    """The host as it is reached with a restricted key: no text is sent."""
    transport = LocalTransport("here", {"PATH": sandbox.path})
    return AgentHost(transport, "", sandbox.parse, 20, place=str(sandbox.program))


def test_every_operation_of_a_rollback_can_be_asked_for(sandbox: Standalone, asked: AgentHost) -> None:
    assert asked.survey().live.name == "r3"
    assert asked.inspect("r2").broken == ""
    answered = asked.ask("", (MINE,)).answers[0]
    assert (answered.status, answered.lines) == (0, ("all is $well",))
    assert list(asked.logs()) == ["the log of r3"]
    assert asked.stamp() == sandbox.host.stamp() != ""
    intent = line("intent", reason=NASTY)
    order = SwitchOrder(RUN, str(sandbox.releases / "r3"), "r2", NASTY, intent, "https://example.org/?a=b&c='d'")
    steps: list[str] = []
    result = asked.switch(order, lambda step: steps.append(step.name))
    assert (result.outcome, result.live, steps) == ("switched", "r2", ["stop", "switch", "start"])
    asked.record(RUN, {"r2": GOOD, "r3": BAD}, record_line(reason=NASTY))
    journal = asked.journal()
    assert journal[0] == intent
    assert journal[-1] == record_line(reason=NASTY)
    assert {release.name: release.mark for release in asked.survey().releases} == {"r1": "", "r2": "good", "r3": "bad"}
    assert not list(sandbox.root.rglob("canary"))


def test_a_question_that_the_host_does_not_know_is_not_put_to_anybody(sandbox: Standalone, asked: AgentHost) -> None:
    canary = sandbox.root / "canary"
    for question in (f"touch {canary}", f"{MINE.command}; touch {canary}", "", "sh"):
        answered = asked.ask("", (HostCommand(question, 5.0), MINE)).answers
        assert (answered[0].status, answered[1].status) == (126, 0)
        assert "other settings" in answered[0].lines[0]
    assert not canary.exists()


def test_a_release_is_sealed_by_the_agent_that_is_sent_and_not_by_a_request(sandbox: Standalone) -> None:
    words = request(str(sandbox.program), "seal", "r2")
    asked = subprocess.run(["sh", "-c", words], env={"PATH": sandbox.path}, capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (64, "")
    transport = LocalTransport("here", {"PATH": sandbox.path})
    key = AgentHost(transport, "exit 64", sandbox.parse, 20, place=str(sandbox.program))
    with pytest.raises(Refused, match="seal") as caught:
        key.seal("r2")
    assert "ROLLBACK_SSH_KEY" in caught.value.hint


def test_it_does_not_work_on_what_is_no_release(sandbox: Standalone) -> None:
    (sandbox.root / "other").mkdir()
    for target in ("../other", "..", "", "r2/../../other", "r9\n"):
        words = request(str(sandbox.program), "switch", RUN, target, str(sandbox.releases / "r3"), "no", "me", "", "{}")
        ended = subprocess.run(
            ["sh", "-c", words], env={"PATH": sandbox.path}, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout) == (64, ""), target
    assert (sandbox.running(), sandbox.current.readlink().name) == ("r3", "r3")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=200))
def test_whatever_is_in_a_request_arrives_as_it_was_and_is_nothing_to_a_shell(sandbox: Standalone, text: str) -> None:
    words = request("printf", "%s", text)
    # In any shell the words are themselves.
    for shell in ("sh", "bash"):
        told = subprocess.run(
            [shell, "-c", f"printf '%s\\n' {words}"], capture_output=True, text=True, check=True
        ).stdout
        assert told.split("\n") == [*words.split(" "), ""]
    script = sandbox.root.parent / "decode.sh"
    lines = [line for line in sandbox.program.read_text().splitlines() if line != 'break_glass "$@"']
    script.write_text("\n".join([*lines, 'main() { printf "%s" "$3"; }', 'request "$@"', ""]))
    encoded = request("x", "follow", "run", text).split(" ")[2:]
    done = subprocess.run(
        [str(sandbox.tools / "sh"), str(script), *encoded], env={"PATH": sandbox.path}, capture_output=True, check=True
    )
    assert done.stdout.decode() == text


def test_what_is_too_long_for_a_host_is_refused_and_not_cut() -> None:
    with pytest.raises(Refused, match="too long"):
        request("/srv/bot/.rollback/rollback", "record", "run", "ü" * 20_000)


# --- the rules ------------------------------------------------------------------------------------------------


def order(sandbox: Standalone, target: str = "r2", run: str = RUN, **words: Any) -> SwitchOrder:
    intent = line("intent", **{"id": run.partition(".")[0], "to": target, **words})
    return SwitchOrder(run, str(sandbox.releases / "r3"), target, "me", intent)


UNFIT: dict[str, Callable[[Standalone], object]] = {
    "an owner who is not trusted": lambda sandbox: os.chown(sandbox.releases / "r2", 54321, 54321),
    "writable by everybody": lambda sandbox: (sandbox.releases / "r2").chmod(0o777),
    "incomplete": lambda sandbox: (sandbox.releases / "r2" / "app").unlink(),
    "marked bad": lambda sandbox: sandbox.host.record("another-run", {"r2": BAD}, ""),
    "the root is not trusted": lambda sandbox: sandbox.root.chmod(0o777),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_switch_to_what_a_plan_would_refuse_is_refused(sandbox: Standalone, asked: AgentHost, what: str) -> None:
    UNFIT[what](sandbox)
    result = asked.switch(order(sandbox), lambda _: None)
    assert (result.outcome, sandbox.running(), sandbox.current.resolve().name) == ("refused", "r3", "r3")
    assert result.reason


def test_a_switch_to_a_release_that_differs_from_its_manifest_is_refused(sandbox: Standalone, asked: AgentHost) -> None:
    sandbox.host.seal("r2")
    (sandbox.releases / "r2" / "app").write_text("changed")
    assert asked.switch(order(sandbox), lambda _: None).outcome == "refused"
    assert (
        asked.switch(replace(order(sandbox, run="in-an-emergency"), break_lock=True), lambda _: None).outcome
        == "switched"
    )


def in_place_of(sandbox: Standalone, program: str, text: str) -> None:
    (sandbox.tools / program).write_text(f'#!/bin/sh\nPATH={MACHINE}\n{text}\nexec {program} "$@"\n')
    (sandbox.tools / program).chmod(0o755)


def test_a_rule_that_a_killed_program_left_open_is_not_fulfilled(sandbox: Standalone, asked: AgentHost) -> None:
    sandbox.host_with(MACHINE).record("another-run", {"r2": BAD}, "")
    in_place_of(sandbox, "tr", "case $* in *001*) exit 137 ;; esac")
    assert asked.switch(order(sandbox), lambda _: None).outcome == "refused"
    sandbox.host_with(MACHINE).seal("r1")
    in_place_of(sandbox, "grep", "case $* in *64*) kill -KILL $PPID ;; esac")
    assert asked.switch(order(sandbox, "r1", "another"), lambda _: None).outcome == "refused"
    assert sandbox.running() == "r3"


@pytest.mark.parametrize("mode", ["targeted", "emergency"])
def test_who_names_a_release_may_take_one_that_is_marked_bad(sandbox: Standalone, asked: AgentHost, mode: str) -> None:
    sandbox.host.record("another-run", {"r2": BAD}, "")
    assert asked.switch(order(sandbox, mode=mode), lambda _: None).outcome == "switched"


def test_a_run_that_was_refused_puts_nothing_back(sandbox: Standalone, asked: AgentHost) -> None:
    sandbox.host.record("another-run", {"r1": BAD}, "")
    pretended = replace(order(sandbox), source=str(sandbox.releases / "r1"))
    assert asked.switch(pretended, lambda _: None).outcome == "refused"
    for number in ("2", "again1"):
        result = asked.switch(order(sandbox, "r1", f"{RUN}.{number}"), lambda _: None)
        assert (result.outcome, sandbox.running()) in (("refused", "r3"), ("superseded", "r3"))


def test_a_run_may_put_back_what_it_started_from_though_it_is_marked_bad(sandbox: Standalone, asked: AgentHost) -> None:
    sandbox.host.record("another-run", {"r3": BAD}, "")
    assert asked.switch(order(sandbox), lambda _: None).outcome == "switched"
    back = replace(
        order(sandbox, "r3", f"{RUN}.2", **{"from": "r2"}), source=str(sandbox.releases / "r2"), relink=False
    )
    assert asked.switch(back, lambda _: None).outcome == "switched"
    assert sandbox.running() == "r3"


@pytest.mark.parametrize(
    "intent",
    [
        "{}",
        "not JSON",
        line("intent", id="another-run"),
        line("intent", service="other"),
        line("intent", environment="test"),
        line("intent", **{"from": "r1"}),
        line("intent", to="r1"),
        line("end"),
        line("plan"),
        line("intent")[:-1] + ',"id":"another-run"}',
        line("intent")[:-1] + ',"\\u0069d":"another-run"}',
        line("intent")[:-1] + ',"service":"other"}',
        line("intent")[:-1] + ',"from":"r1"}',
        line("intent")[:-1],
        line("intent") + "}",
        line("intent") + line("intent"),
        line("intent").replace('"standard"', "standard"),
        line("intent").replace('"standard"', '{"from":"r3","to":"r2","at":1}'),
    ],
)
def test_an_intent_that_is_not_about_this_switch_is_refused(sandbox: Standalone, asked: AgentHost, intent: str) -> None:
    assert asked.switch(replace(order(sandbox), intent=intent), lambda _: None).outcome == "refused"
    assert sandbox.running() == "r3"
    assert not (sandbox.store / "journal.jsonl").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"said":"anything"}',
        line("end", outcome="switched"),
        record_line(id="another-run"),
        record_line(service="other"),
        record_line(environment="test"),
        record_line()[:-1],
        record_line()[:-1] + ',"id":"another-run"}',
        record_line()[:-1] + ',"environment":"test"}',
        record_line() + record_line(),
        record_line().replace("1.5", "01.5"),
        record_line().replace('["beware"]', '["beware",]'),
    ],
)
def test_a_line_that_is_not_this_runs_record_is_not_written(sandbox: Standalone, asked: AgentHost, text: str) -> None:
    assert asked.switch(order(sandbox), lambda _: None).outcome == "switched"
    before = sandbox.journal()
    with pytest.raises(BadAnswer):
        asked.record(RUN, {"r2": GOOD}, text)
    assert sandbox.journal() == before
    assert not list((sandbox.state / "marks").glob("*"))


def plan_line(**words: Any) -> str:
    """The plan of RUN for hosts of every kind of address."""
    hosts = ["deploy@bot1.example.org:2222", "10.0.0.7", "app$a+b@[fe80::1%eth0]:22", "id", "event"]
    rollout = resolve(Strategy(canary=Amount(1)), hosts, regions=dict.fromkeys(hosts, "eu"))
    plan = StoredPlan(
        RUN, "rosey", "prod", "2024-01-01T00:00:00Z", "r2", "", dict.fromkeys(hosts, "r3"), (), rollout, {}
    )
    return replace(plan, **words).line()


def test_a_plan_is_written_before_anything_is_changed_and_its_record_after_it(
    sandbox: Standalone, asked: AgentHost
) -> None:
    asked.record(RUN, {}, plan_line())
    asked.record(RUN, {}, record_line())
    assert [read_plan(text) is not None for text in asked.journal()] == [True, False]


def test_scheduled_rollbacks_are_kept_with_what_becomes_of_them(sandbox: Standalone, asked: AgentHost) -> None:
    store, planned = JournalSchedule(asked, ServiceId("rosey", "prod")), plan_for_later(service="rosey")
    store.add(planned)
    store.note(planned, note_of("claimed", RUN, 'it says: "now"'))
    (entry,) = store.entries()
    assert (entry.asked, entry.state, len(sandbox.journal())) == (planned, "claimed", 2)
    with pytest.raises(BadAnswer):
        JournalSchedule(asked, ServiceId("other", "prod")).add(planned)
    with pytest.raises(BadAnswer):
        asked.record(RUN, {}, f'{{"event":"schedule","id":"{planned.id}","service":"rosey","environment":"prod"}}')


@pytest.mark.parametrize(
    "text",
    [
        plan_line(id="another-run"),
        plan_line(service="other"),
        plan_line(environment="test"),
        plan_line()[:-1],
        plan_line()[:-1] + ',"id":"another-run"}',
        plan_line()[:-1] + ',"Id":"another-run"}',
        plan_line()[:-1] + ',"\\u0069d":"another-run"}',
        plan_line()[:-1] + ',"event":"intent"}',
        plan_line() + plan_line(),
    ],
)
def test_a_line_that_is_not_this_runs_plan_is_not_written(sandbox: Standalone, asked: AgentHost, text: str) -> None:
    with pytest.raises(BadAnswer):
        asked.record(RUN, {}, text)
    assert not (sandbox.store / "journal.jsonl").exists()


def test_a_record_of_a_run_that_this_host_never_had_is_not_written(sandbox: Standalone, asked: AgentHost) -> None:
    with pytest.raises(BadAnswer):
        asked.record(RUN, {}, record_line())
    assert not (sandbox.store / "journal.jsonl").exists()


def test_only_releases_of_the_own_run_are_marked(sandbox: Standalone, asked: AgentHost) -> None:
    assert asked.switch(order(sandbox), lambda _: None).outcome == "switched"
    for notes in ({"r1": BAD}, {"r2": GOOD, "r1": GOOD}):
        with pytest.raises(BadAnswer):
            asked.record(RUN, notes, record_line())
    assert not list((sandbox.state / "marks").glob("*"))
    asked.record(RUN, {"r2": GOOD, "r3": BAD}, record_line())
    assert sorted(path.name for path in (sandbox.state / "marks").iterdir()) == ["r2.good", "r3.bad"]


def test_a_run_that_changed_nothing_marks_only_what_is_live(sandbox: Standalone, asked: AgentHost) -> None:
    """``verify`` and ``guard`` do."""
    asked.record("a-look", {"r3": GOOD}, "")
    with pytest.raises(BadAnswer):
        asked.record("a-look", {"r2": BAD}, "")
    assert [path.name for path in (sandbox.state / "marks").iterdir()] == ["r3.good"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=records)
def test_every_record_that_we_write_is_taken(sandbox: Standalone, found: Record) -> None:
    ours = found.model_copy(update={"id": RUN, "service": "rosey", "environment": "prod"})
    script = sandbox.root.parent / "rules.sh"
    lines = [text for text in sandbox.program.read_text().splitlines() if text != 'break_glass "$@"']
    script.write_text("\n".join([*lines, 'is_own_line "$1" "$(cat "$2")" record', ""]))
    text = sandbox.root.parent / "line"
    text.write_text(ours.line())
    words = [str(sandbox.tools / "sh"), str(script), RUN, str(text)]
    assert subprocess.run(words, env={"PATH": sandbox.path}, check=False).returncode == 0
