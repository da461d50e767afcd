"""Break-glass hides on the host what Python hides: the same rules, by sed."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from rollback_ops.core.redaction import Redactor
from tests.support.agent_sandbox import Sandbox
from tests.support.breakglass_sandbox import text_of

MASKS = ("acme_[A-Za-z0-9]{8}", r"(?i)badge-?\d{4,9}", "[]^x-]{4}[^a]", r"pin:.{4}\w*")
SECRET = "hunter2"
HEADS = (
    "password=",
    "db_password: ",
    "'api_key': '",
    'token": "',
    'secret\\": \\"',
    "--db-password ",
    "<token>",
    "PWD := ",
    "Authorization: Bearer ",
    "authorization: basic ",
    "Cookie: a=",
    "bearer abc",
    "https://u:",
    "amqp://u:1",
    "://" + "k" * 9,
    "https://hooks.slack.com/services/",
    "x/hooks/",
    "ghp_abc",
    " sk-abcd",
    "AKIAABCD",
    "eyJabcdef.",
    "acme_a",
    "badge-1",
    "-----BEGIN RSA PRIVATE KEY-----",
    "pin:é",
    "Basic dXN",
    "token: ",
    "token: secret= token: pwd: ",
    'authorization: bearer "',
    "cookie: '",
    "NOPASSWD: ",
    "_nopasswd: ",
)
pieces = st.sampled_from((*HEADS, *[SECRET] * 3, *"\"'\\ ,./:é\u00a0", "@host", "80", "12345678", "acme_12345678"))
texts = st.lists(pieces, min_size=1, max_size=7).map("".join)


class Hider:
    def __init__(self, directory: Path, shell: str) -> None:
        self._sandbox = Sandbox(directory, shell, mask=list(MASKS))
        self._definitions = text_of(self._sandbox).removesuffix('break_glass "$@"\n')
        self._file = directory / "redact.sh"

    def hide(self, asked: list[str]) -> list[str]:
        calls = "".join(f"redacted {shlex.quote(text)}; echo\n" for text in asked)
        self._file.write_text(self._definitions + calls)
        words = [str(self._sandbox.tools / "sh"), str(self._file)]
        done = subprocess.run(words, env={"PATH": self._sandbox.path}, capture_output=True, timeout=120, check=True)
        return done.stdout.decode().split("\n")[:-1]


@pytest.fixture(scope="module", params=["dash", "busybox"])
def hider(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Hider:
    return Hider(tmp_path_factory.mktemp("hider"), str(request.param))


@example(asked=["amqp://u:1bearer abc<token> hunter2authorization: basic x", "invalid bearer token: hunter2"])
@example(asked=['AKIAABCD--db-password <token>"hunter2hunter2'])
# Each of these is hidden by one rule, and looks to sed like the beginning of another.
@example(
    asked=[
        "hunter2Basic dXNx/hooks/hunter2",
        "authorization: basic authorization: basic x/hooks/@hosthunter2",
        "badge-1--db-password --db-password hunter2",
        "@hostbearer abc--db-password --db-password hunter2",
        "://u:80/hooks/x@hosthunter2",
        "password=abc\u00a0--token hunter2",
        "acme_aépassword=hunter2",
        f"password: {'token: ' * 9}hunter2",
        f"authorization: {'token: ' * 9}hunter2",
        f"--password {'token: ' * 9}hunter2",
        "authorization: token: 'hunter2'",
        'cookie: "hunter2"',
        "secret_nopasswd: hunter2",
        "NOPASSWD: NOPASSWD: @SECRET=>api_key_nopasswd: hunter2",
        "é\u0130nopasswd: hunter2",
        " nopasswd:\u00a0hunter2",
    ]
)
@settings(
    max_examples=12, phases=[Phase.explicit, Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
)
@given(asked=st.lists(texts, min_size=10, max_size=60))
def test_a_secret_that_python_hides_is_hidden_on_the_host(hider: Hider, asked: list[str]) -> None:
    redact = Redactor(patterns=MASKS)
    for text, shown in zip(asked, hider.hide(asked), strict=True):
        ours = redact(text)
        assert shown.count(SECRET) <= ours.count(SECRET), (text, ours, shown)
        assert shown.count("12345678") <= ours.count("12345678"), (text, ours, shown)


def test_what_is_no_secret_stays_on_the_host_too(hider: Hider) -> None:
    texts = [
        "http://localhost:8080",
        "at https://[::1]:8443/ 3 failed",
        "release b_20240101 (5c6a1f0b) is live",
        "task-abcdefghij",
        "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl stop -- bot.service",
    ]
    assert hider.hide(texts) == texts
