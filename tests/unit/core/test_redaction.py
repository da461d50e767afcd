"""Secrets in free text: what is hidden, what stays readable, and how long it takes."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollback_ops.core.redaction import Redactor

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAAB3Nza\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login with password=hunter2 failed", "login with password=*** failed"),
        ("password = 'two words' here", "password = '***' here"),
        (r'password="a \" b" here', 'password="***" here'),
        ('{"token": "a,b c", "port": 5}', '{"token": "***", "port": 5}'),
        (r"{\"secret\":\"abc\",\"x\":1}", r"{\"secret\":\"***\",\"x\":1}"),
        ("DB_PASSWORD=p@ss;w0rd, then", "DB_PASSWORD=*** then"),
        ("api-key: 12345 sent", "api-key: *** sent"),
        ("AWS_SECRET_ACCESS_KEY=wJalr/x+y=", "AWS_SECRET_ACCESS_KEY=***"),
        ("run --db-password s3cret --quiet", "run --db-password *** --quiet"),
        ("<password>two words</password>", "<password>***</password>"),
        ("invalid bearer token: hunter2 (expired)", "invalid bearer *** *** (expired)"),
        ("authorization: bearer token: hunter2 x", "authorization: bearer *** *** x"),
        ("password: bearer secret=hunter2 x", "password: bearer *** x"),
        ("login --password token: hunter2 x", "login --password token: *** x"),
        (f"password: {'token: ' * 9}hunter2 x", f"password: {'token: ' * 9}*** x"),
        ("authorization: token: token: token: token: token: hunter2 x", f"authorization: {'token: ' * 5}*** x"),
        ('authorization: bearer "hunter2" x', 'authorization: bearer "***" x'),
        ('Cookie: "hunter2" x', 'Cookie: "***" x'),
        ("token: Bearer hunter2 refused", "token: Bearer *** refused"),
        ("Authorization: Bearer abc.def-ghi refused", "Authorization: Bearer *** refused"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic ***"),
        ("-H 'Authorization: token s3cret' https://a", "-H 'Authorization: token ***' https://a"),
        ("sent bearer abcdef012345", "sent bearer ***"),
        ("sent Basic dXNlcjpwYXNz", "sent Basic ***"),
        ("Set-Cookie: session=abc; HttpOnly", "Set-Cookie: ***"),
        ("postgres://bot:p@s/s@db:5432/x is down", "postgres://bot:***@db:5432/x is down"),
        ("amqp://bot:12345@mq", "amqp://bot:***@mq"),
        ("cut off at postgres://bot:hunt", "cut off at postgres://bot:***"),
        ("https://0123456789abcdef0123@github.com/x", "https://***@github.com/x"),
        ("POST https://hooks.slack.com/services/T0/B0/xyz 500", "POST https://hooks.slack.com/*** 500"),
        ("https://discord.com/api/webhooks/1/abc", "https://discord.com/api/***"),
        ("https://x.webhook.office.com/webhookb2/abc", "https://x.webhook.office.com/***"),
        ("https://chat.example.org/hooks/abc", "https://chat.example.org/hooks/***"),
        (f"ghp_{'a1' * 18}", "***"),
        ("github_pat_11ABCDEFG0abcdefgh_x", "***"),
        ("xoxb-1234567890-abc xoxp-1234567890-abc", "*** ***"),
        ("key AKIAIOSFODNN7EXAMPLE is known", "key *** is known"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln!", "***!"),
        (f"before\n{KEY}\nafter", "before\n***\n***\n***\n***\nafter"),
        (KEY.rpartition("\n")[0], "***\n***\n***"),
        (KEY.replace("\n", "\\n"), "***"),
        # Unicode's other forms of k, s and i
        ("to\u212aen: hunter2", "to\u212aen: ***"),
        ("\u017fecret: hunter2", "\u017fecret: ***"),
        ("cook\u0131e: hunter2", "cook\u0131e: ***"),
        ("COOK\u0130E: hunter2", "COOK\u0130E: ***"),
        ("sg.0123456789 SG.0123456789", "sg.0123456789 ***"),
        ("rk_live_0123456789 sk_test_0123456789", "*** ***"),
        ("gldt-0123456789 npm_0123456789 pypi-0123456789 dop_v1_0123456789 hf_0123456789", "*** *** *** *** ***"),
        ("xapp-0123456789 AIza0123456789 sk-0123456789", "*** *** ***"),
        ("AGE-SECRET-KEY-0123456789 ASIA0123456789", "*** ***"),
        ("x.logic.azure.com/abc outlook.office365.com/abc", "x.logic.azure.com/*** outlook.office365.com/***"),
    ],
)
def test_a_secret_is_hidden_and_the_words_around_it_stay(text: str, shown: str) -> None:
    assert Redactor()(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CRITICAL the database does not answer",
        'FATAL:  password authentication failed for user "bot"',
        "12 passed: 3 failed",
        "monkey: banana, keyboard: qwertz",
        "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl stop -- bot.service",
        "basic authentication is off, Basic checks passed",
        "at http://localhost:8080/health and https://[::1]:8443/",
        "http://localhost:8080",
        "ssh://deploy@bot1.example.org:2222",
        "release backup_20240101_120000 (5c6a1f0b) is live",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert Redactor()(text) == text


def test_known_secrets_are_hidden_whole_line_by_line_and_as_base64() -> None:
    secret = "first line of it\nsecond line\n"
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    text = f"a {secret}b, then second line alone, then {encoded}"
    assert Redactor([secret])(text) == "a ***\n***\nb, then *** alone, then ***"


def test_a_known_secret_too_short_to_be_one_does_not_make_the_text_unreadable() -> None:
    assert Redactor(["a", "", "\n"])("a banana") == "a banana"


@given(st.text(), st.text(alphabet="abcXYZ0189+/=", min_size=4), st.text())
def test_a_known_secret_never_gets_out(before: str, secret: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)


@given(st.text(alphabet="pas word:=\"'\\@/-token{}bearer\n"))
@example("password='")
def test_what_was_masked_once_is_masked(text: str) -> None:
    once = Redactor()(f"password={text}")
    assert Redactor()(once) == once


@pytest.mark.parametrize(
    "text",
    [
        *("pwd=x", "pwd:x", "pwd=>x", "<pwd>x", "--pwd x", "cookie:x", "authorization=x", "bearer\t012345"),
        *("Basic 0a0a0a0a", "://:x@", "://a:b", "://0123456789abcdef@", "/hooks/x", "hooks.slack.com/x"),
        *(
            "github_pat_01234567",
            "hf_01234567",
            "sk-01234567",
            "SG.01234567",
            "xapp-01234567",
            "AKIA01234567",
            "eyJ01234.",
        ),
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_the_shortest_secrets_of_each_kind_are_hidden(text: str) -> None:
    assert "***" in Redactor()(text)


# What each rule knows its secrets by, secrets, and what may stand around both.
BEGINNINGS = (
    *("password", "passcode", "pwd", "secret", "token", "api_key", "access-key-id", "private_key", "signing-key"),
    *("credential", "session_id", "authorization", "cookie", "bearer ", "Basic ", "://", "-----BEGIN PRIVATE KEY-----"),
    *("hooks.slack.com/", "discord.com/api/", "webhook.office.com/", "outlook.office365.com/", "logic.azure.com:443/"),
    *("/hooks/", "ghp_", "github_pat_", "glpat-", "gldt-", "xoxb-", "xapp-", "npm_", "pypi-", "dop_v1_", "hf_", "sk-"),
    *("sk_", "rk_live_", "AIza", "SG.", "AGE-SECRET-KEY-", "AKIA", "ASIA", "eyJ"),
)
AROUND = (*"=:@.<>-\"'\\ \n\t\u00a0x", ": ", "--", "12345678", "ABCDEF0123456789")
# In capital letters, and in Unicode's other forms of letters.
FORMS = (
    str,
    str.upper,
    str.swapcase,
    lambda text: text.translate(str.maketrans("skiSKI", "\u017f\u212a\u0131\u017f\u212a\u0130")),
)
beginnings = st.tuples(st.sampled_from(BEGINNINGS), st.sampled_from(FORMS)).map(lambda found: found[1](found[0]))


@pytest.mark.parametrize("beginning", BEGINNINGS)
@given(
    after=st.lists(st.one_of(st.sampled_from(AROUND), beginnings), max_size=3).map("".join), form=st.sampled_from(FORMS)
)
@settings(max_examples=30)
def test_a_text_without_a_sign_of_a_secret_has_none(beginning: str, after: str, form: Callable[[str], str]) -> None:
    """The word "key" is no secret. It makes every rule look at the text."""
    for text in (form(beginning) + after, f"{form(beginning)}0A1B2C3D{after}", f"{after}{form(beginning)}=0A1B2C3D@"):
        assert Redactor()(f"key\n{text}") == f"key\n{Redactor()(text)}"


HOSTILE = (
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END ", "password", "password=", 'token="', "password: \\'"),
    *(
        "token_",
        "<token>",
        "--password ",
        " --a-",
        "--",
        "://",
        "://a:",
        "://a:b",
        "://a@",
        "authorization:",
        "cookie:",
    ),
    *("bearer ", "Basic ", "eyJ", "eyJaaaaa.", "ghp_", "sk-", "AKIA", "/hooks/", "a", "9", '"', "\\", " ", "\n", "A0 "),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_no_longer_than_its_length_deserves(piece: str) -> None:
    text = (piece * 400_000)[:400_000]
    began = time.process_time()
    Redactor([piece * 3])(text)
    # It takes about a second at the worst. What is quadratic would take minutes.
    assert time.process_time() - began < 15


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=4))
def test_no_mixture_of_hostile_pieces_takes_long(pieces: list[str]) -> None:
    text = ("".join(pieces) * 10_000)[:10_000]
    began = time.process_time()
    Redactor()(text)
    assert time.process_time() - began < 2


def test_secrets_and_patterns_are_hidden_by_the_redactor_that_was_given_them_and_by_no_other() -> None:
    redact = Redactor(["first secret", "second secret", "abc"], ["acme_[0-9]{4}"])
    text = "first secret, second secret, abc, acme_1234 and more"
    assert redact(text) == "***, ***, abc, *** and more"
    assert Redactor()(text) == text


def test_a_secret_that_is_no_utf_8_is_hidden() -> None:
    assert Redactor(["caf\udce9-secret"])("a caf\udce9-secret") == "a ***"
