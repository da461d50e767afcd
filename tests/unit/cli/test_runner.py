"""The runner's side of a workflow step: it obeys our commands and no other, whatever a text contains."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollback_ops.cli.actions.runner import (
    StepLog,
    annotation,
    command,
    harmless,
    masks,
    repository_url,
    write_outputs,
    write_summary,
)
from rollback_ops.core.text import one_line
from tests.support.pseudo_runner import PseudoRunner, outputs

FORGED = [
    "::error::x",
    "  ::error::x",
    "\t::set-output name=x::y",
    "\u3000::warning file=a::b",
    "::ERROR::x",
    "##[error]x",
    "all is healthy ##[error]x",
    "##[add-path]/tmp",
    "####[error]x",
    "::group::x",
    "::endgroup::",
    "::stop-commands::mine",
    "::add-mask::e",
    "::notice::x%0A::error::y",
]
NEARLY_FORGED = ["##[##[error]x", "::::error::x", "::error", "##[error"]
KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ
AAAEBr
==
-----END OPENSSH PRIVATE KEY-----
"""


def log() -> tuple[StepLog, io.StringIO]:
    out = io.StringIO()
    return StepLog(out, io.StringIO()), out


# --- forged commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", FORGED)
def test_the_pseudo_runner_obeys_a_forged_command(line: str) -> None:
    runner = PseudoRunner().read(line)
    assert runner.obeyed or runner.stopped or runner.masked


@pytest.mark.parametrize("line", [*FORGED, *NEARLY_FORGED])
def test_a_harmless_line_is_no_command_even_outside_a_fence(line: str) -> None:
    runner = PseudoRunner().read(harmless(line))
    assert (runner.obeyed, runner.stopped, runner.masked) == ([], "", [])


@given(st.text(st.sampled_from(":# [\t\u3000e]%0Arox,=\\")) | st.text())
@example("##[##[error]x")
@example("#\u200d#[error]x")
def test_no_text_makes_a_harmless_line_a_command(text: str) -> None:
    runner = PseudoRunner().read(harmless(one_line(text)))
    assert (runner.obeyed, runner.stopped, runner.masked) == ([], "", [])


def test_a_text_without_commands_is_unchanged() -> None:
    for text in ("time::now is std::time", "# heading", "[error] x", "a: b", "  ✓ host  stop"):
        assert harmless(text) == text


@given(st.text(), st.text())
@example("a%0Ab", "100% : , \r\n")
def test_the_runner_gets_exactly_the_text_and_the_title_of_a_command(title: str, data: str) -> None:
    lines = command("error", data, title=title).split("\n")
    assert len(lines) == 1
    ((name, properties, message),) = PseudoRunner().read(lines[0]).obeyed
    assert (name, message) == ("error", data)
    assert properties == {"title": title}


@given(st.text(), st.lists(st.text(), max_size=4))
@example("title::x,file=a", FORGED)
def test_an_annotation_is_one_command_and_its_lines_are_harmless_in_the_log(title: str, lines: list[str]) -> None:
    ((name, properties, data),) = PseudoRunner().read(annotation("warning", title, lines)).obeyed
    assert name == "warning"
    assert set(properties) <= {"title"}
    # The runner writes the message into its log, line by line.
    assert PseudoRunner().read(data).obeyed == []
    assert len(data) <= 2_000


def test_an_annotation_has_the_same_lines_as_the_log() -> None:
    lines = ["bot1: refused: not you\n  Ask bob.", "x"]
    ((_, _, message),) = PseudoRunner().read(annotation("error", "rollback", lines)).obeyed
    assert message == "bot1: refused: not you\n  Ask bob.\nx"


# --- the fence -------------------------------------------------------------------------------------------


def test_everything_but_our_commands_is_inside_a_fence() -> None:
    step, out = log()
    step.begin([])
    out.write("::error::forged one\n")
    step.group("survey: looking")
    out.write("::error::forged two\n")
    step.group("plan: b3 → b2")
    step.ungroup()
    out.write("::error::forged three\n")
    step.end(annotation("notice", "rollback", ["done"]))
    out.write("::warning::the person's own\n")

    runner = PseudoRunner().read(out.getvalue())

    assert runner.names() == ["group", "endgroup", "group", "endgroup", "notice", "warning"]
    assert runner.told("group") == ["survey: looking", "plan: b3 → b2"]
    assert sum("forged" in line for line in runner.log) == 3


def test_each_fence_has_a_new_token_that_nobody_can_guess() -> None:
    step, out = log()
    step.begin([])
    for number in range(20):
        step.group(str(number))
    step.end()
    tokens = PseudoRunner().read(out.getvalue()).tokens
    assert len(set(tokens)) == 21
    assert all(len(token) >= 32 and token.isalnum() for token in tokens)


def test_an_earlier_token_does_not_open_the_fence() -> None:
    step, out = log()
    step.begin([])
    step.group("one")
    first = PseudoRunner().read(out.getvalue()).tokens[0]
    out.write(f"::{first}::\n::error::forged\n")
    step.end()
    assert "error" not in PseudoRunner().read(out.getvalue()).names()


@pytest.mark.parametrize("title", [*FORGED, "x\n::error::y", "x\r::error::y", "x%0A::error::y"])
def test_the_title_of_a_group_cannot_contain_a_command(title: str) -> None:
    step, out = log()
    step.begin([])
    step.group(title)
    step.end()
    runner = PseudoRunner().read(out.getvalue())
    assert runner.names() == ["group", "endgroup"]
    # The runner writes "##[group]" and the title into its log.
    assert PseudoRunner().read(runner.told("group")[0]).obeyed == []


def test_a_command_and_the_fence_around_it_are_one_write() -> None:
    class Writes(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.each: list[str] = []

        def write(self, text: str) -> int:
            self.each.append(text)
            return super().write(text)

    out = Writes()
    step = StepLog(out, io.StringIO())
    step.begin(["secret"])
    step.group("one")
    assert len(out.each) == 2
    assert out.each[1].startswith("::")
    assert out.each[1].rstrip("\n").split("\n")[-1].startswith("::stop-commands::")


def test_lines_of_other_threads_stay_inside_the_fence() -> None:
    step, out = log()
    step.begin([])
    stop = threading.Event()

    def host() -> None:
        while not stop.is_set():
            out.write("::error::forged\n")

    threads = [threading.Thread(target=host) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(50):
        step.group(str(number))
    stop.set()
    for thread in threads:
        thread.join()
    step.end()
    assert set(PseudoRunner().read(out.getvalue()).names()) == {"group", "endgroup"}


def test_the_other_output_is_flushed_before_a_command() -> None:
    class Flushed(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    other = Flushed()
    StepLog(io.StringIO(), other).end()
    assert other.flushes == 1


# --- masks -----------------------------------------------------------------------------------------------


def test_secrets_are_masked_line_by_line_before_any_other_output() -> None:
    step, out = log()
    step.begin([KEY, "a passphrase with 100% :: in it", "https://hooks.example.org/services/T0/B0/x"])
    runner = PseudoRunner().read(out.getvalue())
    assert runner.masked == [
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ",
        "AAAEBr",
        "a passphrase with 100% :: in it",
        "https://hooks.example.org/services/T0/B0/x",
    ]
    assert out.getvalue().startswith("::add-mask::")


def test_a_text_that_would_mask_everything_is_no_mask() -> None:
    assert masks(["", " ", "abc", "\n\n", "-----BEGIN RSA PRIVATE KEY-----", "ab\r\nabcd\r\n"]) == ["::add-mask::abcd"]


# --- outputs and summary ---------------------------------------------------------------------------------


def test_outputs_are_read_back_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("earlier=1\n")
    values = {"outcome": "succeeded", "to": "b2", "deployment-id": "", "record": "a\nb=c\nd<<e"}
    assert write_outputs({"GITHUB_OUTPUT": str(file)}, values) == []
    assert outputs(file.read_text()) == {"earlier": "1", **values}


def test_each_output_has_its_own_delimiter(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.touch()
    for _ in range(3):
        write_outputs({"GITHUB_OUTPUT": str(file)}, {"to": "b2"})
    marks = {line.partition("<<")[2] for line in file.read_text().splitlines() if "<<" in line}
    assert len(marks) == 3
    assert all(len(mark) > 32 for mark in marks)


def test_an_output_that_contains_the_delimiter_is_left_out_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.touch()
    forged = "b2\nEND\noutcome<<END\nsucceeded"
    problems = write_outputs({"GITHUB_OUTPUT": str(file)}, {"outcome": "failed", "to": forged}, delimiter="END")
    (problem,) = problems
    assert "output to " in problem
    assert outputs(file.read_text()) == {"outcome": "failed"}


@pytest.mark.parametrize("environ", [{}, {"GITHUB_OUTPUT": ""}, {"GITHUB_OUTPUT": "/nowhere/at/all"}])
def test_without_the_runners_file_no_output_is_written_and_no_warning_shown(environ: dict[str, str]) -> None:
    assert write_outputs(environ, {"to": "b2"}) == []


def test_a_summary_that_cannot_be_written_is_a_warning_and_no_error(tmp_path: Path) -> None:
    assert write_summary({"GITHUB_STEP_SUMMARY": "\0"}, "x") == []
    assert write_summary({"GITHUB_STEP_SUMMARY": str(tmp_path)}, "x") == []
    # This file exists and cannot be written, even by root.
    (problem,) = write_summary({"GITHUB_STEP_SUMMARY": "/proc/version"}, "x")
    assert "summary" in problem


def test_a_text_that_is_not_valid_utf_8_is_written_with_escapes(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("# earlier\n")
    assert write_summary({"GITHUB_STEP_SUMMARY": str(file)}, "lone \ud800\r\n") == []
    assert file.read_bytes() == b"# earlier\nlone \\ud800\r\n"


@pytest.mark.parametrize(
    ("server", "repository", "url"),
    [
        ("https://github.com", "o/r", "https://github.com/o/r"),
        ("http://ghe.example.org:8080", "o-1/r.x_y", "http://ghe.example.org:8080/o-1/r.x_y"),
        ("", "o/r", ""),
        ("https://github.com", "", ""),
        ("https://github.com", "o/r)(x", ""),
        ("javascript:alert(1)//", "o/r", ""),
        ("https://user:pass@github.com", "o/r", ""),
        ("https://github.com", "o/r/../x", ""),
        ("https://github.com", "o/r\n", ""),
    ],
)
def test_the_address_of_the_repository_is_a_plain_one_or_none(server: str, repository: str, url: str) -> None:
    assert repository_url({"GITHUB_SERVER_URL": server, "GITHUB_REPOSITORY": repository}) == url
