"""Each value on its own: which are taken, and what is said of the others."""

from __future__ import annotations

import pytest

from tests.support.settings_files import as_toml, complaint, read

SERVICE = "[services.s]\nroot = '/s'\n"
HTTP = f"{SERVICE}[services.s.checks.c]\nkind = 'http'\n"
TCP = f"{SERVICE}[services.s.checks.c]\nkind = 'tcp'\n"
COMMAND = f"{SERVICE}[services.s.checks.c]\nkind = 'command'\n"
CUSTOM = f"{SERVICE}[services.s.commands]\nstart = 'a'\nstatus = 'a'\n"
VERIFY = f"{SERVICE}[services.s.verify]\n"
LIMITS = f"{SERVICE}[services.s.limits]\n"
ENVIRONMENT = "[environments.e]\n"


def with_value(key: str, value: object) -> str:
    root = "" if key == "root" else "root = '/s'\n"
    return f"[services.s]\n{root}{key} = {as_toml(value)}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("root", "/opt/rosey-bot"),
        ("root", "/srv/a.b/c_d@e+f=g:h,i"),
        ("root", "/opt/rosey-{environment}"),
        ("releases", "backups/{environment}"),
        ("current", "app/current"),
        ("pattern", "backup_{environment}_[0-9]*?"),
        ("units", ["bot", "bot@{environment}.service", "group:*", r"dev-disk\x2dby.mount"]),
        ("project", "rosey-{environment}"),
        ("links", {"config.json": "shared/config-{environment}.json"}),
        ("requires", ["bot.py", "venv/bin/python"]),
    ],
)
def test_a_value_of_a_service_is_kept_as_it_is_written(key: str, value: object) -> None:
    kept = getattr(read(with_value(key, value)).services["s"], key)
    assert (list(kept) if isinstance(kept, tuple) else kept) == value


ABSOLUTE = "should be an absolute path"
RELATIVE = "should be a relative path"
DOTS = 'should not have "." or ".." in it'
ENVIRONMENT_ONLY = "allowed: {environment}"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("root", "opt", f'services.s.root = "opt" {ABSOLUTE}'),
        ("root", "", f'services.s.root = "" {ABSOLUTE}'),
        ("root", "/", ABSOLUTE),
        ("root", "~/bot", ABSOLUTE),
        ("root", "/a//b", ABSOLUTE),
        ("root", "/a b", ABSOLUTE),
        ("root", "/a;id", ABSOLUTE),
        ("root", "/$(id)", ABSOLUTE),
        ("root", "/a\nb", f'services.s.root = "/a\\nb" {ABSOLUTE}'),
        ("root", "/é", ABSOLUTE),
        ("root", "/a/../b", DOTS),
        ("root", "/a/./b", DOTS),
        ("root", "/a/{release}", "has an unknown placeholder {release}; allowed: {environment}"),
        ("root", "/a/{enviroment}", '{enviroment} (did you mean "environment"?); allowed: {environment}'),
        ("root", 5, "services.s.root = 5 should be a string, in quotes"),
        ("root", ["/a"], "services.s.root should be a string, in quotes"),
        ("releases", "/backups", RELATIVE),
        ("releases", "../other", DOTS),
        ("current", "-f", RELATIVE),
        ("current", "a/..", DOTS),
        ("pattern", "a/*", "should be a pattern for names"),
        ("pattern", "a b", "should be a pattern for names"),
        ("pattern", "-*", "should be a pattern for names"),
        ("layout", "Releases", 'should be one of backups, releases (did you mean "releases"?)'),
        ("manager", "systmd", '(did you mean "systemd"?)'),
        ("manager", True, "services.s.manager = true should be one of systemd, systemd-user, supervisor"),
        ("units", "bot", 'services.s.units = "bot" should be a list of strings, like ["one", "two"]'),
        ("units", [1], "services.s.units[0] = 1 should be a string, in quotes"),
        ("units", ["a", "b; reboot"], 'services.s.units[1] = "b; reboot" should be the name of a unit'),
        ("units", ["--now"], "should be the name of a unit"),
        ("units", ["a", "a"], "services.s.units names a more than once"),
        ("project", "Rosey", "should be lower-case letters"),
        ("links", ["a"], "services.s.links should be a table of keys and values"),
        ("links", {"/etc/passwd": "a"}, f'services.s.links."/etc/passwd" {RELATIVE}'),
        ("links", {"../a": "a"}, DOTS),
        ("links", {"{environment}": "a"}, "allowed: none"),
        ("links", {"a": "/etc/passwd"}, f'services.s.links.a = "/etc/passwd" {RELATIVE}'),
        ("links", {"a": "../b"}, DOTS),
        ("requires", ["../a"], DOTS),
        ("checks", {"a b": {"kind": "process"}}, 'services.s.checks."a b" should be a name'),
        ("checks", {"c": "http"}, 'services.s.checks.c = "http" should be a table of keys and values'),
        ("verify", "20s", 'services.s.verify = "20s" should be a table of keys and values'),
    ],
)
def test_a_wrong_value_of_a_service_is_named_with_what_is_allowed(key: str, value: object, words: str) -> None:
    message = complaint(with_value(key, value))
    assert words in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (
            HTTP + "url = 'localhost:8080'",
            'services.s.checks.c.url = "localhost:8080" should be a URL like http://',
        ),
        (HTTP + "url = 'ftp://localhost'", "(http or https, no user, no spaces)"),
        (HTTP + "url = 'http://'", "should be a URL"),
        (HTTP + "url = 'http://a b'", "should be a URL"),
        (HTTP + "url = 'http://a:0/'", "should be a URL"),
        (HTTP + "url = 'http://a:65536/'", "should be a URL"),
        (HTTP + "url = 'http://a/é'", "should be a URL"),
        (HTTP + "url = 'http://a/{version}'", "allowed: {environment}, {release}"),
        (HTTP + "url = 'http://a'\nstatus = 'ok'", 'services.s.checks.c.status = "ok" should be a whole number'),
        (HTTP + "url = 'http://a'\nstatus = 200.5", "should be a whole number"),
        (HTTP + "url = 'http://a'\nstatus = 20", "services.s.checks.c.status = 20 should be at least 100"),
        (HTTP + "url = 'http://a'\nstatus = 600", "should be at most 599"),
        (HTTP + "url = 'http://a'\nstatus = true", "services.s.checks.c.status = true should be"),
        (
            HTTP + f"url = 'http://a'\nstatus = {10**30}",
            "services.s.checks.c.status = a number of many digits should be",
        ),
        (HTTP + "url = 'http://a'\nfrom = 'hots'", 'should be one of host, runner (did you mean "host"?)'),
        (HTTP + "url = 'http://a'\njson = {a = {b = ['{relase}']}}", 'placeholder {relase} (did you mean "release"?)'),
        (HTTP + "url = 'http://a'\nheaders = {\"a b\" = 'c'}", "should be the name of a header"),
        (HTTP + "url = 'http://a'\nheaders = {a = \"b\\r\\nc: d\"}", "should be one line of ASCII"),
        (HTTP + "url = 'http://a'\ntimeout = 0", "services.s.checks.c.timeout = 0 should be longer than 0 seconds"),
        (HTTP, "services.s.checks.c.url is missing"),
        (TCP + "address = 'localhost'", 'services.s.checks.c.address = "localhost" should be host:port'),
        (TCP + "address = '::1:80'", "should be host:port"),
        (TCP + "address = 'localhost:99999'", "should be host:port"),
        (TCP + "address = 'deploy@localhost:80'", "should be host:port"),
        (COMMAND + "run = ' '", "should be one line, not blank"),
        (COMMAND + 'run = "a\\nb"', "should be one line"),
        (COMMAND + "run = 'ls {relese}'", '(did you mean "release"?)'),
        (COMMAND + "run = 'ls'\nphase = 'befor'", 'should be one of before, after (did you mean "before"?)'),
        (CUSTOM, "services.s.commands.stop is missing"),
        (CUSTOM + "stop = 'a {release}'", "has an unknown placeholder {release}; allowed: {environment}"),
        (CUSTOM + "stop = ''", "should be one line, not blank"),
        (VERIFY + "healthy_deadline = '20'", 'should be a duration, a number with its unit: "500ms", "20s" or "2m"'),
        (VERIFY + "healthy_deadline = '20 sec'", 'services.s.verify.healthy_deadline = "20 sec" should be a duration'),
        (VERIFY + "healthy_deadline = true", "services.s.verify.healthy_deadline = true should be a duration"),
        (VERIFY + "healthy_deadline = []", "services.s.verify.healthy_deadline should be a duration"),
        (VERIFY + "min_healthy_time = -1", "should be from 0 seconds to one hour"),
        (VERIFY + "min_healthy_time = nan", "should be from 0 seconds to one hour"),
        (VERIFY + "min_healthy_time = '61m'", "should be from 0 seconds to one hour"),
        (VERIFY + "on_failure = 'restart'", "should be one of report, restore, older"),
        (
            VERIFY + "healthy_deadline = '3s'",
            "services.s.verify has a min_healthy_time (3s) that is not shorter than its healthy_deadline (3s)",
        ),
        (
            VERIFY + "healthy_deadline = '90s'",
            "services.s has a verify.healthy_deadline (90s) that is longer than its limits.verification (60s)",
        ),
        (
            LIMITS + "total = '10s'",
            "services.s has a verify.healthy_deadline (20s) that is longer than its limits.total (10s)",
        ),
        (LIMITS + "stop = 0", "services.s.limits.stop = 0 should be longer than 0 seconds"),
        ("services = 5", "services = 5 should be a table of keys and values"),
        ("[services.'a/b']\nroot = '/s'", 'services."a/b" should be a name'),
        ("[services.'-a']\nroot = '/s'", "services.-a should be a name"),
        ("[environments.'']", 'environments."" should be a name'),
        (ENVIRONMENT + "hosts = 'a'", 'environments.e.hosts = "a" should be a list of strings'),
        (ENVIRONMENT + "hosts = ['a', 'a']", "environments.e.hosts names a more than once"),
        (ENVIRONMENT + "gateways = ['a', 'a']", "environments.e.gateways names a more than once"),
        (ENVIRONMENT + "url = 'javascript:alert(1)'", "environments.e.url"),
        (ENVIRONMENT + "url = 'https://a/{release}'", "allowed: {environment}"),
        (ENVIRONMENT + "require_permission = 'amdin'", '(did you mean "admin"?)'),
        (ENVIRONMENT + "require_permission = '@org'", "should be one of read, triage, write, maintain, admin, or"),
        (ENVIRONMENT + "require_permission = '@org/a/b'", "or a team like @org/team"),
        (ENVIRONMENT + "require_permission = 'org/team'", "or a team like @org/team"),
        (ENVIRONMENT + "unchecked_emergency = 'perhaps'", "environments.e.unchecked_emergency"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(toml: str, words: str) -> None:
    message = complaint(toml)
    assert words in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "host",
    [
        "bot1",
        "bot1.example.org",
        "10.0.0.1",
        "deploy@bot1",
        "bot1:2222",
        "deploy@bot1.example.org:2222",
        "[::1]",
        "deploy@[2001:db8::1]:22",
        "[fe80::1%eth0]",
    ],
)
def test_a_host_may_have_a_user_and_a_port_and_be_an_address(host: str) -> None:
    assert read(f"[environments.e]\nhosts = ['{host}']").environments["e"].hosts == (host,)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "-oProxyCommand=id",
        "a b",
        "a@-b",
        "-a@b",
        "a:",
        "a:0",
        "a:65536",
        "::1",
        "2001:db8::1",
        "a@b@c",
        "[a]",
        "a/b",
        "ä",
        "{environment}",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    assert f'environments.e.hosts[0] = "{host}" ' in complaint(f"[environments.e]\nhosts = ['{host}']")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("'500ms'", 0.5), ("'20s'", 20), ("'2m'", 120), ("' 1.5s '", 1.5), ("4", 4), ("0.25", 0.25)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(written: str, seconds: float) -> None:
    assert read(LIMITS + f"stop = {written}").services["s"].limits.stop == seconds


@pytest.mark.parametrize(
    "run", ["echo ${x} {a,b} '{print $1}' %{http_code} {{json}} {}", "test -e {release} && echo {environment}"]
)
def test_braces_that_belong_to_the_shell_are_left_alone(run: str) -> None:
    check = read(COMMAND + f'run = "{run}"').services["s"].checks["c"]
    assert check.kind == "command"
    assert check.run == run


def test_a_long_value_is_cut() -> None:
    message = complaint(f"[services.s]\nroot = '{'x' * 5000}'")
    assert "x…" in message
    assert len(message) < 250
