"""Operations that are asked of the installed program, instead of being sent with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import HostCommand, SwitchOrder
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.agent.restricted import request
from rollback_ops.hosts.local import LocalTransport
from tests.support.agent_sandbox import RUN
from tests.support.breakglass_sandbox import Standalone

CHECKS = {"health": {"kind": "command", "run": "test {release} = r3 && echo 'all is $well'"}}
MINE = HostCommand("test r3 = r3 && echo 'all is $well'", 5.0)
NASTY = """it's "quoted" \\ $(touch canary) `id`; ünwell 🦄 %045 =x\\045"""


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
    intent = f'{{"event":"intent","id":"{RUN}","reason":"{NASTY}"}}'
    order = SwitchOrder(RUN, str(sandbox.releases / "r3"), "r2", NASTY, intent, "https://example.org/?a=b&c='d'")
    steps: list[str] = []
    result = asked.switch(order, lambda step: steps.append(step.name))
    assert (result.outcome, result.live, steps) == ("switched", "r2", ["stop", "switch", "start"])
    asked.record(RUN, {"r2": "good", "r3": "bad"}, f'{{"said":"{NASTY}"}}')
    journal = asked.journal()
    assert journal[0] == intent
    assert journal[-1] == f'{{"said":"{NASTY}"}}'
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
    encoded = request("x", "record", "run", text).split(" ")[2:]
    done = subprocess.run(
        [str(sandbox.tools / "sh"), str(script), *encoded], env={"PATH": sandbox.path}, capture_output=True, check=True
    )
    assert done.stdout.decode() == text


def test_what_is_too_long_for_a_host_is_refused_and_not_cut() -> None:
    with pytest.raises(Refused, match="more than one command may have"):
        request("/srv/bot/.rollback/rollback", "record", "run", "ü" * 20_000)
