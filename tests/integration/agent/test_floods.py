"""Commands that print without end, too much, too slowly or nothing: each ends in words, in bounded time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import textwrap
import time

import pytest

from rollback_ops.core.errors import BadAnswer, ConnectionLost
from rollback_ops.hosts.lines import MOST_LINES
from rollback_ops.hosts.local import LocalTransport
from tests.support.project import PROJECT

MEMORY = 1024**3


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cat /dev/zero", "a line of more than 64 KiB"),
        ("cat /dev/urandom", "a line of more than 64 KiB|more than 16 MiB"),
        ("yes", f"more than {MOST_LINES:,} lines"),
        ("yes ''", f"more than {MOST_LINES:,} lines"),
        ("yes \"$(head -c 60000 /dev/zero | tr '\\0' x)\"", "more than 16 MiB"),
    ],
)
def test_what_prints_without_end_is_not_listened_to_for_ever(command: str, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadAnswer, match=words):
        LocalTransport().execute(command, lambda _: None, 120)
    assert time.monotonic() - began < 100


@pytest.mark.parametrize(
    "command",
    [
        "while :; do printf x; sleep 0.1; done",
        "while :; do echo x; sleep 0.1; done",
        "while :; do echo x >&2; done",
        "exec sleep 100",
        "exec >&- 2>&-; exec sleep 100",
        "trap '' HUP TERM; while :; do sleep 0.1; done",
    ],
)
def test_what_drips_or_says_nothing_has_until_its_deadline(command: str) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"did not end within 0\.5 s"):
        LocalTransport().execute(command, lambda _: None, 0.5)
    assert time.monotonic() - began < 30


def test_the_most_that_is_listened_to_fits_into_a_gigabyte() -> None:
    """A host that prints as many lines as it may, kept as the answer of an operation."""
    script = """
        from rollback_ops.core.errors import BadAnswer
        from rollback_ops.hosts.agent import protocol
        from rollback_ops.core.plan import Refusal, Selection, make_plan
        from rollback_ops.hosts.lines import MOST_LINES, MOST_OUTPUT, LineSplitter
        answer = protocol.Answer("survey")
        splitter = LineSplitter(lambda line: answer.feed(line) and None)
        splitter.feed(b"rollback-ops\\t1\\tsurvey\\nlive\\tmissing\\t\\t\\t\\n")
        most = MOST_OUTPUT // MOST_LINES - 1
        for number in range(MOST_LINES - 3):
            splitter.feed(b"release\\tr%08d" % number + b"\\tx" * ((most - 20) // 2) + b"\\n")
        splitter.feed(b"end\\t0\\n")
        try:
            protocol.survey("bot1", answer.whole(), ())
        except BadAnswer as error:
            assert error.message == "the host lists more than 20,000 releases"
        del answer.lines[20_001:]
        survey = protocol.survey("bot1", answer, ())
        assert len(survey.releases) == 20_000
        assert isinstance(make_plan([survey], Selection(backup="r7")), Refusal)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=PROJECT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
