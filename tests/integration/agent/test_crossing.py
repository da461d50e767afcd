"""Texts arrive on a host unchanged, and are only text there: words of any kind, and names by one rule."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rollback_ops.hosts.agent import bundle, protocol
from tests.support.agent_sandbox import Sandbox
from tests.support.toolbox import tool

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"]}
# No NUL: nothing that crosses can have one, since no argument of a process has.
words = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=6)
names = st.text(st.sampled_from("aZ09._+:@~=,-/ *?[]$`;'\"\\\n\té\x7f"), max_size=8)
quietly = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
HOSTILE = [
    "$(touch x)",
    "`touch x`",
    "'",
    '"',
    "\\",
    "\n",
    "a\nb\n",
    "-n",
    "",
    "~",
    "*",
    "{a,b}",
    "\x1b",
    "\u2028",
    "é",
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    name, *rest = SHELLS[request.param]
    return [tool(name), *rest]


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    """The program's functions, without the line that begins it."""
    return Sandbox(tmp_path, "dash").text.removesuffix('main "$@"\n')


def run(shell: list[str], script: str, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run([*shell, "-c", script, "sh", *arguments], input=stdin, capture_output=True, check=False)
    assert done.stderr == b""
    return done.stdout


@quietly
@given(given_words=words)
@example(given_words=HOSTILE)
def test_the_words_of_a_request_arrive_as_they_were(shell: list[str], definitions: str, given_words: list[str]) -> None:
    script = definitions + 'main() { printf "%s\\0" "$@"; }\nconverse token'
    asked = ["survey", *given_words]
    # BusyBox's head reads ahead. A second request is sent only after the first was answered.
    count = 1 if shell[0].endswith("busybox") else 2
    arrived = run(shell, script, stdin=bundle.request("token", *asked) * count)
    once = b"".join(word.encode() + b"\0" for word in asked) + b"\nover\ttoken\t0\n"
    assert arrived == once * count


@quietly
@given(given_words=words, cut=st.integers(1, 400))
@example(given_words=["$(touch x)", "a\nb"], cut=1)
def test_a_request_that_was_cut_is_not_carried_out(
    shell: list[str], definitions: str, given_words: list[str], cut: int
) -> None:
    script = definitions + "main() { printf done; }\nconverse token"
    whole = bundle.request("token", "survey", *given_words)
    assert b"done" not in run(shell, script, stdin=whole[: max(0, len(whole) - cut)])


@quietly
@given(given_words=words)
@example(given_words=HOSTILE)
def test_the_words_of_a_command_line_arrive_as_they_were(shell: list[str], given_words: list[str]) -> None:
    line = bundle.command('printf "%s\\0" "$@"', "survey", *given_words)
    assert run(shell, line) == b"".join(word.encode() + b"\0" for word in ["survey", *given_words])


@quietly
@given(given_names=st.lists(names, min_size=1, max_size=20))
@example(given_names=["x" * 128, "x" * 129, ".", "..", "-a", "_", "a" * 127 + "é"])
def test_both_sides_have_one_rule_for_names(shell: list[str], definitions: str, given_names: list[str]) -> None:
    script = definitions + 'for name; do if safe_name "$name"; then echo yes; else echo no; fi; done'
    said = run(shell, script, *given_names).decode().split()
    assert said == ["yes" if protocol.SAFE_NAME.fullmatch(name) else "no" for name in given_names]
