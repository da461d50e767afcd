"""rollback.toml as a whole: the settings that it becomes, and the facts in the message when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rollback_ops.config import HttpCheck, Service, Settings
from rollback_ops.config.load import DEFAULT_PATH, load, settings_path
from rollback_ops.core.errors import Exit, UsageError
from rollback_ops.core.text import joined
from tests.support.settings_files import complaint, holds, read

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


def test_keys_that_are_not_set_have_their_defaults() -> None:
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
    assert f"{tmp_path}/rollback.toml" in caught.value.message
    assert caught.value.exit_code == Exit.USAGE
    assert "--config" in caught.value.hint
    assert "ROLLBACK_CONFIG" in caught.value.hint


def test_a_directory_is_not_taken_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directory"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("file/rollback.toml", "Not a directory"),
        ("a" * 300, "File name too long"),
        ("a\0b", "file name"),
        ("line\nbreak", r"line\\nbreak: "),
    ],
)
def test_a_path_that_leads_nowhere_is_explained(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=words):
        load(tmp_path / name, {})


def test_a_file_in_another_encoding_is_refused_with_the_line() -> None:
    assert holds(complaint('[services]\n# ok\n# "café"'.encode("latin-1")), "rollback.toml: line 3 … UTF-8")


@pytest.mark.parametrize(
    ("toml", "facts"),
    [
        (
            '[services.rosey]\nroot == "/opt"\n',
            'rollback.toml: line 2, column 7: … 2 | root == "/opt"',
        ),
        (
            '[services.rosey]\r\nroot "/opt"\r\n',
            "rollback.toml: line 2, column 6: … '=' … 2 | root \"/opt\"",
        ),
        ("[services.rosey", "rollback.toml: line 1, column 16: … ']'"),
        ('a = 1\nb = "', 'rollback.toml: line 2, column 6: … 2 | b = "'),
        ("a = 1\na = 2", "rollback.toml: line 2, column 6: … 2 | a = 2"),
        ("a = \x1b[31m", "rollback.toml: line 1, column 5: … 1 | a = \\x1b[31m"),
        (f"a = {'9' * 5000}", "rollback.toml: … digits"),
        (f"a = {'[' * 5000}", "rollback.toml: … nested"),
    ],
)
def test_a_syntax_error_is_shown_with_its_line_and_column(toml: str, facts: str) -> None:
    assert holds(joined(complaint(toml)), facts)


def test_every_problem_is_in_one_message_with_one_line_each() -> None:
    message = complaint('[services.rosey]\nlayout = "backup"\nunits = "bot"\n[environments.prod]\nhost = "a"')
    expected = [
        "4 problems",
        "  rollback.toml: services.rosey.root … missing",
        '  rollback.toml: services.rosey.layout = "backup" … backups, releases … "backups"',
        '  rollback.toml: services.rosey.units = "bot" … list',
        '  rollback.toml: environments.prod.host = "a" … "hosts" … '
        "hosts, gateways, restricted, url, require_permission, unchecked_emergency",
    ]
    assert [holds(*both) for both in zip(message.splitlines(), expected, strict=True)] == [True] * 5


def test_after_ten_problems_the_others_are_only_counted() -> None:
    lines = complaint("\n".join(f"[services.s{number}]" for number in range(14))).splitlines()
    assert len(lines) == 12
    assert "14 problems" in lines[0]
    assert "4 more" in lines[-1]


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
    assert holds(message, f'(did you mean "{known}"?) … {known}')


def test_a_key_is_known_by_its_name_in_the_file_only() -> None:
    message = complaint(
        "[services.s]\nroot='/s'\n[services.s.checks.c]\nkind='http'\nurl='http://localhost'\nsource='host'"
    )
    assert holds(message, 'services.s.checks.c.source = "host" … from, ')


def test_a_key_that_tries_to_forge_lines_of_the_message_is_escaped_and_cut() -> None:
    message = complaint('[environments.prod]\n"::error::\\n\\u001b[31m' + "x" * 500 + '" = "\\n::warning::"')
    assert len(message.splitlines()) == 1
    assert "\x1b" not in message
    assert len(message) < 300


def test_every_kind_of_check_says_which_kind_it_is() -> None:
    message = complaint("[services.s]\nroot='/s'\n[services.s.checks.a]\nkind='htp'\n[services.s.checks.b]")
    kinds = "http, tcp, process, logs, command"
    assert holds(message, f'services.s.checks.a.kind = "htp" … {kinds} … "http"')
    assert holds(message, f"services.s.checks.b.kind … missing … {kinds}")


def test_a_hundred_hosts_by_their_addresses_fit_on_one_line() -> None:
    hosts = [f"deploy@10.0.0.{number}" for number in range(1, 101)]
    assert read(f"[environments.prod]\nhosts = {hosts}").environments["prod"].hosts == tuple(hosts)
