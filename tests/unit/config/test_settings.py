"""rollback.toml as a whole: what it becomes, and what is said when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rollback_ops.config import HttpCheck, Service, Settings
from rollback_ops.config.load import DEFAULT_PATH, load, settings_path
from rollback_ops.core.errors import UsageError
from tests.support.settings_files import complaint, read

CONTRACT = """
[services.rosey]
root     = "/opt/rosey-bot"
layout   = "backups"
manager  = "systemd"
units    = ["cytube-bot"]
links    = { "config.json" = "config-{environment}.json" }

[services.rosey.checks.health]
kind = "http"
url  = "http://localhost:8080/health"
from = "host"
json = { release = "{release}" }

[services.rosey.checks.config]
kind = "command"
run  = "python3 -m json.tool config.json"
phase = "before"

[services.rosey.verify]
healthy_deadline = "20s"
min_healthy_time = "500ms"
on_failure = "report"

[services.rosey.limits]
total = "1m"
emergency_total = 30

[environments.prod]
hosts = ["deploy@bot1.example.org", "deploy@bot2.example.org:2222"]
gateways = []
url   = "https://cytu.be/r/rosey"
require_permission = "admin"
"""


def test_the_example_of_the_contract_is_read_as_it_is_written() -> None:
    settings = read(CONTRACT)
    rosey = settings.services["rosey"]
    assert rosey.root == "/opt/rosey-bot"
    assert rosey.units == ("cytube-bot",)
    assert rosey.links == {"config.json": "config-{environment}.json"}
    health = rosey.checks["health"]
    assert isinstance(health, HttpCheck)
    assert health.source == "host"
    assert health.fields == {"release": "{release}"}
    assert (rosey.verify.healthy_deadline, rosey.verify.min_healthy_time) == (20.0, 0.5)
    assert (rosey.limits.total, rosey.limits.emergency_total, rosey.limits.stop) == (60.0, 30.0, 10.0)
    assert settings.environments["prod"].hosts == ("deploy@bot1.example.org", "deploy@bot2.example.org:2222")


def test_a_file_that_says_little_gets_the_defaults() -> None:
    rosey = read('[services.rosey]\nroot = "/srv/rosey/"').services["rosey"]
    assert rosey == Service(root="/srv/rosey")
    assert (rosey.layout, rosey.current, rosey.manager) == ("releases", "current", "systemd")


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    settings = read(CONTRACT)
    with pytest.raises(ValidationError, match="frozen"):
        settings.services["rosey"].root = "/elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize("toml", [b"\xef\xbb\xbf[services]", b"[services]\r\n[environments]\r\n", b""])
def test_a_byte_order_mark_foreign_line_ends_and_emptiness_are_no_errors(toml: bytes) -> None:
    assert read(toml) == Settings()


def test_the_option_wins_over_the_variable_and_the_variable_over_the_default() -> None:
    assert settings_path({}) == DEFAULT_PATH == Path("rollback.toml")
    assert settings_path({"ROLLBACK_CONFIG": ""}) == DEFAULT_PATH
    assert settings_path({"ROLLBACK_CONFIG": "a.toml"}) == Path("a.toml")
    assert settings_path({"ROLLBACK_CONFIG": "a.toml"}, Path("b.toml")) == Path("b.toml")


def test_a_file_that_is_not_there_is_named_with_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "rollback.toml", {})
    assert caught.value.message == f"{tmp_path}/rollback.toml: there is no such file"
    assert "--config" in caught.value.hint
    assert "ROLLBACK_CONFIG" in caught.value.hint


def test_a_directory_is_not_taken_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory, not a file"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file/rollback.toml", "cannot be read: Not a directory"),
        ("a" * 300, "cannot be read: File name too long"),
        ("a\0b", "is not a valid file name"),
        ("line\nbreak", r"line\\nbreak: there is no such file"),
    ],
)
def test_a_path_that_leads_nowhere_is_explained(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=words):
        load(tmp_path / name, {})


def test_a_file_in_another_encoding_is_refused_with_the_line() -> None:
    assert complaint('[services]\n# ok\n# "café"'.encode("latin-1")) == (
        "rollback.toml: line 3 is not UTF-8; save the file as UTF-8"
    )


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            '[services.rosey]\nroot == "/opt"\n',
            'rollback.toml: line 2, column 7: Invalid value\n  2 | root == "/opt"',
        ),
        (
            '[services.rosey]\r\nroot "/opt"\r\n',
            "rollback.toml: line 2, column 6: Expected '=' after a key in a key/value pair\n  2 | root \"/opt\"",
        ),
        ("[services.rosey", "rollback.toml: line 1, column 16: Expected ']' at the end of a table declaration"),
        ('a = 1\nb = "', 'rollback.toml: line 2, column 6: Unterminated string\n  2 | b = "'),
        ("a = 1\na = 2", "rollback.toml: line 2, column 6: Cannot overwrite a value\n  2 | a = 2"),
        ("a = \x1b[31m", "rollback.toml: line 1, column 5: Invalid value\n  1 | a = \\x1b[31m"),
        (f"a = {'9' * 5000}", "rollback.toml: not valid TOML: a number has too many digits"),
        (f"a = {'[' * 5000}", "rollback.toml: the settings are nested too deeply"),
    ],
)
def test_a_syntax_error_is_shown_with_its_line_and_column(toml: str, message: str) -> None:
    assert complaint(toml).startswith(message)


def test_every_problem_is_in_one_message_with_one_line_each() -> None:
    message = complaint('[services.rosey]\nlayout = "backup"\nunits = "bot"\n[environments.prod]\nhost = "a"')
    assert message.splitlines() == [
        "the settings have 4 problems:",
        "  rollback.toml: services.rosey.root is missing",
        '  rollback.toml: services.rosey.layout = "backup" should be one of backups, releases '
        '(did you mean "backups"?)',
        '  rollback.toml: services.rosey.units = "bot" should be a list of strings, like ["one", "two"]',
        '  rollback.toml: environments.prod.host = "a" is not a known key (did you mean "hosts"?); '
        "allowed: hosts, gateways, restricted, url, require_permission, unchecked_emergency",
    ]


def test_after_ten_problems_the_others_are_only_counted() -> None:
    lines = complaint("\n".join(f"[services.s{number}]" for number in range(14))).splitlines()
    assert len(lines) == 12
    assert lines[0] == "the settings have 14 problems:"
    assert lines[-1] == "  and 4 more"


@pytest.mark.parametrize(
    ("place", "known"),
    [
        ("[service]", "services"),
        ("[services.s]\nroot='/s'\nroots=1", "root"),
        ("[services.s]\nroot='/s'\n[services.s.verify]\nhealthy_deadlin='1s'", "healthy_deadline"),
        ("[services.s]\nroot='/s'\n[services.s.limits]\ntotl='1s'", "total"),
        ("[services.s]\nroot='/s'\n[services.s.commands]\nstart='a'\nstop='a'\nstatus='a'\nlog='a'", "logs"),
        ("[services.s]\nroot='/s'\n[services.s.checks.c]\nkind='http'\nurl='http://a'\nform='host'", "from"),
        ("[services.s]\nroot='/s'\n[services.s.checks.c]\nkind='tcp'\naddress='a:1'\ntimout='1s'", "timeout"),
        ("[services.s]\nroot='/s'\n[services.s.checks.c]\nkind='command'\nrun='a'\nfase='after'", "phase"),
        ("[services.s]\nroot='/s'\n[services.s.checks.c]\nkind='process'\nkid=1", "kind"),
        ("[environments.e]\nHosts=[]", "hosts"),
    ],
)
def test_an_unknown_key_gets_the_nearest_right_name_in_every_section(place: str, known: str) -> None:
    message = complaint(place)
    assert "is not a known key" in message
    assert f'(did you mean "{known}"?)' in message


def test_the_name_that_only_the_code_has_for_a_key_is_unknown_in_the_file() -> None:
    message = complaint(
        "[services.s]\nroot='/s'\n[services.s.checks.c]\nkind='http'\nurl='http://localhost'\nsource='host'"
    )
    assert 'services.s.checks.c.source = "host" is not a known key' in message


def test_a_key_that_tries_to_forge_lines_of_the_message_is_escaped_and_cut() -> None:
    message = complaint('[environments.prod]\n"::error::\\n\\u001b[31m' + "x" * 500 + '" = "\\n::warning::"')
    assert len(message.splitlines()) == 1
    assert "\x1b" not in message
    assert len(message) < 300


def test_every_kind_of_check_says_which_kind_it_is() -> None:
    message = complaint("[services.s]\nroot='/s'\n[services.s.checks.a]\nkind='htp'\n[services.s.checks.b]")
    assert (
        'services.s.checks.a.kind = "htp" should be one of http, tcp, process, logs, command (did you mean "http"?)'
        in message
    )
    assert "services.s.checks.b.kind is missing; it should be one of http, tcp, process, logs, command" in message


def test_a_hundred_hosts_by_their_addresses_fit_on_one_line() -> None:
    hosts = [f"deploy@10.0.0.{number}" for number in range(1, 101)]
    assert read(f"[environments.prod]\nhosts = {hosts}").environments["prod"].hosts == tuple(hosts)
