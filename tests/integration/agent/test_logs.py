"""The ``logs`` check: its question in the shells that hosts have, and what it makes of the answers."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.checks.logs import Logs
from rollback_ops.config import LogsCheck, Service
from rollback_ops.config.log_patterns import IGNORE, PATTERNS
from rollback_ops.core.health import Finding
from rollback_ops.core.model import CommandResult
from rollback_ops.core.redaction import Redactor
from rollback_ops.hosts.agent import bundle
from tests.support.agent_sandbox import RUN, Sandbox
from tests.support.project import PROJECT
from tests.support.toolbox import tool

APPLETS = ("grep", "sed", "cut", "tail", "dd", "sha256sum", "stat", "date", "id", "cat")


def settings(**keys: Any) -> LogsCheck:
    return LogsCheck.model_validate({"kind": "logs", **keys})


def answered(*lines: str, status: int = 0) -> CommandResult:
    return CommandResult(status, 0.01, lines)


class Watched(Sandbox):
    """A service whose log is ``bot.log`` under its root, on a host with these tools."""

    def __init__(self, directory: Path, shell: str, **check: Any) -> None:
        self.check = settings(**check if "command" in check else {"file": "bot.log", **check})
        given = self.check.model_dump(by_alias=True, exclude_defaults=True) | {"kind": "logs"}
        super().__init__(directory, shell, checks={"log": given})
        self.log = self.root / "bot.log"
        for applet in APPLETS if shell == "busybox" else ():
            (self.tools / applet).symlink_to(tool("busybox"))

    def write(self, *lines: str) -> None:
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def look(self, check: Logs | None = None, run: str = RUN) -> Finding:
        """Run a check once, by way of the program, and return its finding."""
        check = check or Logs(self.check, "r2")
        question = check.question
        assert question is not None
        return check.judge((), self.host.ask(run, [question]).answers.get(0))


@pytest.fixture
def watched(shell: str, tmp_path: Path) -> Watched:
    """Its log has an old critical line, and the service was started by a transaction after that."""
    sandbox = Watched(tmp_path, shell)
    sandbox.write("INFO an old line", "CRITICAL of the old release", *(f"INFO line {n}" for n in range(50)))
    assert sandbox.switch()[0].outcome == "switched"
    return sandbox


# --- the patterns --------------------------------------------------------------------------------------


CRITICAL = (
    "CRITICAL the database does not answer",
    "CRITICAL:root:the database does not answer",
    "[FATAL] cannot bind to port 8080",
    "<2>CRITICAL out of file descriptors",
    "2024-01-01 12:00:00,123 - bot - CRITICAL - no database",
    "2024-01-01 12:00:00,123 CRITICAL no database",
    "2024-01-01 12:00:00 [main] FATAL com.example.Main - no database",
    "2024-01-01T12:00:00.123Z FATAL no database",
    "2024-01-01 12:00:00 UTC [77] FATAL:  the database system is shutting down",
    "[2024-01-01 12:00:00] prod.CRITICAL: no database {}",
    "12:00:00 | FATAL | no database",
    "F, [2024-01-01T12:00:00 #7] FATAL -- : no database",
    "\x1b[31mCRITICAL\x1b[0m no database",
    "12:00:00 \x1b[1;31mFATAL\x1b[0m: no database",
    'time="2024-01-01" level=fatal msg="no database"',
    '{"severity": "CRITICAL", "message": "no database"}',
    '{"level":"fatal","msg":"no database"}',
    '{"level":60,"time":1,"msg":"no database"}',
    "2024/01/01 12:00:00 [crit] 7#7: *1 connect() failed",
    "[Mon Jan 01 12:00:00 2024] [core:emerg] (98)Address already in use",
    "Traceback (most recent call last):",
    "panic: runtime error: invalid memory address",
    "fatal error: concurrent map writes",
    "thread 'main' panicked at src/main.rs:2:5:",
    "PHP Fatal error:  Uncaught Error in x.php",
    'Exception in thread "main" java.lang.IllegalStateException',
    "java.lang.OutOfMemoryError: Java heap space",
    "FATAL ERROR: Reached heap limit - JavaScript heap out of memory",
    "(node:7) UnhandledPromiseRejectionWarning: Unhandled promise rejection.",
    "Uncaught Exception: x",
    "Unhandled exception. System.Exception",
    "bot.service: A process of this unit has been killed by the OOM killer.",
    "bot.service: Main process exited, code=dumped, status=11/SEGV",
    "Segmentation fault (core dumped)",
    "bot[7]: segfault at 0 ip 00007f",
)
NOISE = (
    "INFO bot listens on 8080",
    "ERROR a request failed, will be tried again",
    "0 critical errors, 0 fatal errors",
    "found 0 CRITICAL errors",
    "CRITICAL: 0, WARNING: 3",
    "CRITICAL errors: 0",
    "Total: 0 (HIGH: 0, CRITICAL: 0)",
    "log level set to CRITICAL",
    "levels are DEBUG, INFO, ERROR, CRITICAL and FATAL",
    "no fatal errors were found in the critical section",
    "level=info msg=all-is-well",
    '{"level":"info","msg":"nothing critical"}',
    "12:00:00 INFO FATAL is a level too",
    "starting with -XX:+HeapDumpOnOutOfMemoryError",
    "do not panic: this is a drill",
    "in the room: a segfaulting example",
    "GET /critical/fatal/panic 200",
    "NONCRITICAL: x",
    "FATALITY: none",
)


@pytest.mark.parametrize("grep", [["grep"], ["busybox", "grep"]], ids=["grep", "busybox"])
def test_critical_lines_fire_and_noise_does_not(grep: list[str]) -> None:
    found = matching(grep, PATTERNS, (*CRITICAL, *NOISE))
    ignored = matching(grep, IGNORE, found)
    assert [line for line in found if line not in ignored] == list(CRITICAL)


def matching(grep: list[str], patterns: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The lines that any of the patterns matches, as the question asks it."""
    words = [word for pattern in patterns for word in ("-e", pattern)]
    given = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([*grep, "-aE", *words], input=text, env=given, text=True, capture_output=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_documented_patterns_are_the_ones_that_are_used() -> None:
    documented = (PROJECT / "docs" / "settings.md").read_text()
    for patterns in (PATTERNS, IGNORE):
        assert "```text\n" + "\n".join(patterns) + "\n```" in documented


# --- the question --------------------------------------------------------------------------------------


def test_the_question_is_this_command() -> None:
    check = Logs(settings(command="docker compose logs '{release}'", patterns=["it's", "x y"], ignore=["-z"]), "r2")
    assert check.question is not None
    assert (
        check.question.command
        == """\
RUN=$1 STATE=$2 SINCE=$4 LC_ALL=C
export LC_ALL
why() { printf 'why %s\\n' "$1"; exit 3; }
wrong=$(echo | grep -aE -e 'it'"'"'s' -e 'x y' -e -z 2>&1)
case $?$wrong in 0 | 1) ;; *) why "grep does not understand the patterns: $wrong" ;; esac
critical() { grep -aE -e 'it'"'"'s' -e 'x y' | grep -avE -e -z | sed -e 's/^/line /' -e 5q | cut -b 1-600; }
read_log() { (unset LC_ALL; sh -c 'docker compose logs '"'"'r2'"'"'') 2>&1; }
exec 3>&1
status=$({ { read_log; echo "$?" >&4; } | critical >&3; } 4>&1)
[ "$status" = 0 ] || { echo "status ${status:-?}"; exit 3; }
"""
    )


@pytest.mark.parametrize("given", [{}, {"file": "logs/{environment}.log"}, {"file": "/var/log/x"}, {"command": "true"}])
def test_shellcheck_has_nothing_to_say_about_the_question(given: dict[str, str], tmp_path: Path) -> None:
    question = Logs(settings(**given), "r2").question
    assert question is not None
    (tmp_path / "question.sh").write_text(
        "ROLLBACK_ROOT='' ROLLBACK_SUDO=''\n: $ROLLBACK_ROOT $ROLLBACK_SUDO\n" + question.command
    )
    # Words are split where they are meant to be; some readers do not use everything.
    words = [tool("shellcheck"), "--shell=sh", "--exclude=SC2086,SC2034,SC2317,SC2329", "--format=gcc"]
    done = subprocess.run([*words, str(tmp_path / "question.sh")], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_logs_whose_ends_are_noted_are_the_files_of_the_checks() -> None:
    checks = {
        "one": {"kind": "logs", "file": "logs/bot.log"},
        "two": {"kind": "logs", "file": "/var/log/bot.log", "patterns": ["x"]},
        "again": {"kind": "logs", "file": "logs/bot.log", "patterns": ["y"]},
        "journal": {"kind": "logs"},
        "process": {"kind": "process"},
    }
    service = Service.model_validate({"root": "/srv/bot", "units": ["bot"], "checks": checks})
    assert list(bundle._watched(service)) == ["/srv/bot/logs/bot.log", "/var/log/bot.log"]


# --- a file --------------------------------------------------------------------------------------------


def test_only_what_was_written_since_the_start_counts(watched: Watched) -> None:
    check = Logs(watched.check, "r2")
    assert watched.look(check) == Finding("passed", "nothing critical in bot.log since this start")
    watched.write("INFO fine", "0 critical errors")
    assert watched.look(check).verdict == "passed"
    watched.write("CRITICAL no database", "INFO more")
    expected = Finding("failed", "bot.log says: CRITICAL no database", final=True, trigger="log-error")
    assert watched.look(check) == expected


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["bot.log.1", "bot.log-20240101", "bot-20240101.log"])
def test_a_log_that_was_renamed_is_read_on_under_its_new_name(watched: Watched, when: str, name: str) -> None:
    if when == "before":
        watched.write("CRITICAL no database")
    watched.log.rename(watched.root / name)
    watched.write("INFO a new file")
    assert watched.look().verdict == ("failed" if when == "before" else "passed")
    watched.write("CRITICAL no database")
    assert watched.look().verdict == "failed"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("lines", [1, 200], ids=["shorter than it was", "longer than it was"])
def test_a_log_that_was_copied_and_truncated_is_read_in_both_places(watched: Watched, when: str, lines: int) -> None:
    if when == "before":
        watched.write("CRITICAL no database")
    shutil.copy(watched.log, watched.root / "bot.log.1")
    os.truncate(watched.log, 0)
    if when == "after":
        watched.write("CRITICAL no database")
    watched.write(*(f"INFO after the truncation {n}" for n in range(lines)))
    assert watched.look().verdict == "failed"


@pytest.mark.parametrize("lines", [1, 200])
def test_a_rotation_by_copying_raises_no_false_alarm(watched: Watched, lines: int) -> None:
    watched.write("INFO fine")
    shutil.copy(watched.log, watched.root / "bot.log.1")
    os.truncate(watched.log, 0)
    watched.write(*(f"INFO after the truncation {n}" for n in range(lines)))
    assert watched.look().verdict == "passed"


def test_two_rotations_lose_no_line(watched: Watched) -> None:
    watched.log.rename(watched.root / "bot.log.2")
    watched.write("CRITICAL between two rotations")
    watched.log.rename(watched.root / "bot.log.1")
    watched.write("INFO a new file")
    assert "between two rotations" in watched.look().detail


def test_older_rotated_logs_are_not_of_this_start(watched: Watched) -> None:
    older = watched.root / "bot.log.2"
    older.write_text("CRITICAL long ago\n")
    os.utime(older, (1_600_000_000, 1_600_000_000))
    watched.log.rename(watched.root / "bot.log.1")
    watched.write("INFO a new file")
    assert watched.look().verdict == "passed"


def test_a_log_that_the_service_begins_anew_is_read_from_its_beginning(watched: Watched) -> None:
    watched.log.write_text("INFO started\n")
    assert watched.look().verdict == "passed"
    watched.log.write_text("CRITICAL no database\n")
    assert watched.look().verdict == "failed"


def test_what_was_rotated_and_compressed_is_not_known(watched: Watched) -> None:
    watched.write("CRITICAL no database")
    (watched.root / "bot.log.1.gz").write_bytes(gzip.compress(watched.log.read_bytes()))
    watched.log.unlink()
    (watched.root / "bot.log").write_text("INFO a new file\n")
    finding = watched.look()
    assert finding.verdict == "unknown"
    assert re.match(
        "bot.log could not be read: it was rotated, and the rotated file is (compressed|gone)", finding.detail
    )


def test_what_was_rotated_and_removed_is_not_known_but_a_critical_line_is(watched: Watched) -> None:
    aside = watched.root.parent / "elsewhere"
    watched.log.rename(aside)
    watched.write("INFO a new file")
    finding = watched.look()
    assert (finding.verdict, finding.final) == ("unknown", False)
    assert finding.detail == "bot.log could not be read: it was rotated, and the rotated file is gone"


def test_a_log_that_is_not_there_is_not_a_log_without_errors(watched: Watched) -> None:
    watched.log.unlink()
    assert watched.look() == Finding("unknown", "bot.log could not be read: there is no such file")


def test_a_log_that_appears_after_the_start_is_read_from_its_beginning(shell: str, tmp_path: Path) -> None:
    sandbox = Watched(tmp_path, shell)
    sandbox.switch()
    assert sandbox.look().detail == "bot.log could not be read: there is no such file"
    sandbox.write("CRITICAL no database")
    assert sandbox.look().verdict == "failed"


def test_a_directory_is_no_log(shell: str, tmp_path: Path) -> None:
    sandbox = Watched(tmp_path, shell)
    sandbox.log.mkdir()
    assert re.fullmatch("bot.log could not be read: it is not a file that .+ may read", sandbox.look().detail)


def test_where_nobody_noted_the_end_the_log_is_watched_from_the_first_look_on(watched: Watched) -> None:
    check = Logs(watched.check, "r2")
    assert watched.look(check, run="another-run") == Finding(
        "unknown", "bot.log is checked from now on: its end before the start was not noted"
    )
    assert watched.look(check, run="another-run") == Finding(
        "passed", "nothing critical in bot.log since the first check"
    )
    watched.write("CRITICAL no database")
    assert watched.look(check, run="another-run").verdict == "failed"


def test_the_notes_of_an_attempt_of_the_same_run_are_those_of_the_run(watched: Watched) -> None:
    watched.write("CRITICAL no database")
    assert watched.look(run=f"{RUN}.2").verdict == "failed"


@pytest.mark.parametrize("position", ["$(touch x) 1 1 1 1", "1:1 1 1 1", "1:1 1 1 1 1; id", ""])
def test_what_the_host_says_of_the_end_is_not_trusted(position: str) -> None:
    check = Logs(settings(file="bot.log"), "r2")
    assert check.judge((), answered(f"from {position}", status=4)).verdict == "unknown"
    assert check.question is not None
    assert check.question.since == ()


def test_the_question_stays_the_same_when_the_check_has_noted_where_to_begin(watched: Watched) -> None:
    check = Logs(watched.check, "r2")
    asked = [check.question]
    for _ in range(2):
        watched.look(check, run="another-run")
        asked.append(check.question)
    assert len({question.command for question in asked if question}) == 1
    assert [bool(question and question.since) for question in asked] == [False, True, True]


@pytest.mark.parametrize("since", [("1:1",), ("1:1", "x", "ab", "1"), ("-", "0", "a" * 64, "$x")])
def test_a_beginning_that_makes_no_sense_is_not_read_from(watched: Watched, since: tuple[str, ...]) -> None:
    question = Logs(watched.check, "r2").question
    assert question is not None
    watched.write("CRITICAL no database")
    answer = watched.host.ask("another-run", [replace(question, since=since)]).answers[0]
    assert (answer.status, [line for line in answer.lines if line.startswith("line ")]) == (3, [])


def test_a_bad_pattern_is_not_a_log_without_errors(shell: str, tmp_path: Path) -> None:
    sandbox = Watched(tmp_path, shell, patterns=["(unclosed"])
    sandbox.switch()
    sandbox.write("CRITICAL no database")
    finding = sandbox.look()
    assert finding.verdict == "unknown"
    assert "grep does not understand the patterns: " in finding.detail
    assert re.search(r"nmatched \(|issing '\)'|bad regex", finding.detail)


def test_ignored_lines_do_not_fire_and_others_do(shell: str, tmp_path: Path) -> None:
    sandbox = Watched(tmp_path, shell, patterns=["ERROR", "it's"], ignore=["ERROR 404"])
    sandbox.switch()
    sandbox.write("ERROR 404 nothing there")
    assert sandbox.look().verdict == "passed"
    sandbox.write("ERROR 500", "it's bad")
    assert sandbox.look().detail == "bot.log says: ERROR 500 / it's bad"


def test_binary_noise_and_endless_lines_do_not_hide_a_critical_line(watched: Watched) -> None:
    with watched.log.open("ab") as file:
        file.write(b"\0\xff\xfe\x80 noise\n" + b"x" * 1_000_000 + b"\nCRITICAL " + b"y" * 100_000 + b"\n")
        file.write(b"".join(b"CRITICAL number %d\n" % n for n in range(1000)))
    finding = watched.look()
    assert finding.verdict == "failed"
    assert finding.detail.startswith("bot.log says: CRITICAL yyyy")
    assert finding.detail.endswith("CRITICAL number 0 / CRITICAL number 1")
    assert len(finding.detail) < 1000


# --- a command -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "verdict", "detail"),
    [
        ("echo INFO fine", "passed", "nothing critical in the output of its command since this start"),
        ("true", "passed", "nothing critical in the output of its command since this start"),
        ("echo CRITICAL one; echo FATAL two >&2", "failed", "the output of its command says: CRITICAL one / FATAL two"),
        ("echo CRITICAL one; exit 3", "failed", "the output of its command says: CRITICAL one"),
        ("exit 3", "unknown", "the output of its command could not be read: exit status 3"),
        ("echo permission denied; exit 1", "unknown", "the output of its command could not be read: exit status 1"),
        ("no-such-command", "unknown", "the output of its command could not be read: exit status 127"),
    ],
)
def test_what_a_command_prints_is_judged_and_one_that_fails_has_told_nothing(
    shell: str, tmp_path: Path, command: str, verdict: str, detail: str
) -> None:
    sandbox = Watched(tmp_path, shell, command=command)
    finding = sandbox.look()
    assert (finding.verdict, finding.detail) == (verdict, detail)


def test_a_command_that_hangs_has_told_nothing(shell: str, tmp_path: Path) -> None:
    sandbox = Watched(tmp_path, shell, command="sleep 30", timeout=0.3)
    finding = sandbox.look()
    assert finding == Finding(
        "unknown", "the output of its command could not be read: reading it did not end within 0.3 s"
    )


# --- what is said --------------------------------------------------------------------------------------


def test_the_first_three_lines_are_shown_with_their_secrets_masked() -> None:
    lines = [f"line CRITICAL {n} password=hunter2" for n in range(5)]
    finding = Logs(settings(), "r2").judge((), answered(*lines))
    shown = " / ".join(f"CRITICAL {n} password=***" for n in range(3))
    shown_detail = Redactor()(finding.detail)
    assert (finding.final, finding.trigger, shown_detail) == (True, "log-error", f"the journal says: {shown}")


def test_a_critical_line_is_hard_evidence_also_when_the_rest_could_not_be_read() -> None:
    finding = Logs(settings(), "r2").judge((), answered("line FATAL x", "why it is gone", status=3))
    assert (finding.verdict, finding.final) == ("failed", True)


def test_a_host_that_did_not_answer_has_not_passed() -> None:
    assert Logs(settings(), "r2").judge((), None).verdict == "unknown"


def test_why_it_could_not_be_read_is_said_with_the_tools_own_words() -> None:
    said = answered("sudo: a password is required", "why bot is shown no line", status=3)
    assert (
        Logs(settings(), "r2").judge((), said).detail
        == "the journal could not be read: bot is shown no line: sudo: a password is required"
    )


def test_without_a_journal_nothing_was_read(watched: Watched) -> None:
    """What supervises this service is not systemd: nobody says which start it is."""
    finding = watched.look(Logs(settings(), "r2"))
    assert finding.detail == "the journal could not be read: systemd reports no start of the units"
    assert finding.verdict == "unknown"
