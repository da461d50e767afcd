"""Each value by itself: which are accepted, and the facts in the message about the others."""

from __future__ import annotations

import pytest

from tests.support.settings_files import as_toml, complaint, holds, read

SERVICE = "[services.s]\nroot = '/s'\n"
HTTP = f"{SERVICE}[services.s.checks.c]\nkind = 'http'\n"
TCP = f"{SERVICE}[services.s.checks.c]\nkind = 'tcp'\n"
PROCESS = f"{SERVICE}[services.s.checks.c]\nkind = 'process'\n"
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
def test_a_valid_value_of_a_service_is_kept_unchanged(key: str, value: object) -> None:
    kept = getattr(read(with_value(key, value)).services["s"], key)
    assert (list(kept) if isinstance(kept, tuple) else kept) == value


ABSOLUTE = "absolute path"
RELATIVE = "relative path"
DOTS = '".."'
TABLE = "table"
DURATION = '"500ms", "20s"'
CONFLICT = "services.s.verify … min_healthy_time (3s) … healthy_deadline (3s)"


@pytest.mark.parametrize(
    ("key", "value", "facts"),
    [
        ("root", "opt", f'services.s.root = "opt" … {ABSOLUTE}'),
        ("root", "", f'services.s.root = "" … {ABSOLUTE}'),
        ("root", "/", ABSOLUTE),
        ("root", "~/bot", ABSOLUTE),
        ("root", "/a//b", ABSOLUTE),
        ("root", "/a b", ABSOLUTE),
        ("root", "/a;id", ABSOLUTE),
        ("root", "/$(id)", ABSOLUTE),
        ("root", "/a\nb", f'services.s.root = "/a\\nb" … {ABSOLUTE}'),
        ("root", "/é", ABSOLUTE),
        ("root", "/a/../b", DOTS),
        ("root", "/a/./b", DOTS),
        ("root", "/a/{release}", "services.s.root = … {release} … {environment}"),
        ("root", "/a/{enviroment}", '{enviroment} … "environment" … {environment}'),
        ("root", 5, "services.s.root = 5 … string"),
        ("root", ["/a"], "services.s.root … string"),
        ("releases", "/backups", RELATIVE),
        ("releases", "../other", DOTS),
        ("current", "-f", RELATIVE),
        ("current", "a/..", DOTS),
        ("pattern", "a/*", "services.s.pattern = … backup_*"),
        ("pattern", "a b", "services.s.pattern = … backup_*"),
        ("pattern", "-*", "services.s.pattern = … backup_*"),
        ("layout", "Releases", 'services.s.layout = "Releases" … backups, releases … "releases"'),
        ("manager", "systmd", 'services.s.manager = "systmd" … "systemd"'),
        ("manager", True, "services.s.manager = true … systemd, systemd-user, supervisor, compose, pm2, custom, none"),
        ("units", "bot", 'services.s.units = "bot" … list'),
        ("units", [1], "services.s.units[0] = 1 … string"),
        ("units", ["a", "b; reboot"], 'services.s.units[1] = "b; reboot" … unit'),
        ("units", ["--now"], 'services.s.units[0] = "--now" … unit'),
        ("units", ["twin", "twin"], "services.s.units … twin"),
        ("project", "Rosey", 'services.s.project = "Rosey"'),
        ("links", ["a"], "services.s.links … table"),
        ("links", {"/etc/passwd": "a"}, f'services.s.links."/etc/passwd" … {RELATIVE}'),
        ("links", {"../a": "a"}, DOTS),
        ("links", {"{environment}": "a"}, "services.s.links … {environment} … none"),
        ("links", {"a": "/etc/passwd"}, f'services.s.links.a = "/etc/passwd" … {RELATIVE}'),
        ("links", {"a": "../b"}, DOTS),
        ("requires", ["../a"], DOTS),
        ("checks", {"a b": {"kind": "process"}}, 'services.s.checks."a b" … name'),
        ("checks", {"c": "http"}, 'services.s.checks.c = "http" … table'),
        ("verify", "20s", 'services.s.verify = "20s" … table'),
    ],
)
def test_a_wrong_value_of_a_service_is_named_with_what_is_allowed(key: str, value: object, facts: str) -> None:
    message = complaint(with_value(key, value))
    assert message.startswith(f"rollback.toml: services.s.{key}")
    assert holds(message, f"rollback.toml: … {facts}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("toml", "facts"),
    [
        (
            HTTP + "url = 'localhost:8080'",
            'services.s.checks.c.url = "localhost:8080" … http',
        ),
        (HTTP + "url = 'ftp://localhost'", "services.s.checks.c.url = … https"),
        (HTTP + "url = 'http://'", "services.s.checks.c.url = … URL"),
        (HTTP + "url = 'http://a b'", "services.s.checks.c.url = … URL"),
        (HTTP + "url = 'http://a:0/'", "services.s.checks.c.url = … URL"),
        (HTTP + "url = 'http://a:65536/'", "services.s.checks.c.url = … URL"),
        (HTTP + "url = 'http://a/é'", "services.s.checks.c.url = … URL"),
        (HTTP + "url = 'http://a/{version}'", "services.s.checks.c.url = … {version} … {environment}, {release}"),
        (HTTP + "url = 'http://a'\nstatus = 'ok'", 'services.s.checks.c.status = "ok" … whole number'),
        (HTTP + "url = 'http://a'\nstatus = 200.5", "services.s.checks.c.status = 200.5 … whole number"),
        (HTTP + "url = 'http://a'\nstatus = 20", "services.s.checks.c.status = 20 … 100"),
        (HTTP + "url = 'http://a'\nstatus = 600", "services.s.checks.c.status = 600 … 599"),
        (HTTP + "url = 'http://a'\nstatus = true", "services.s.checks.c.status = true"),
        (HTTP + "url = 'http://a'\nfinal = [503, 600]", "services.s.checks.c.final[1] = 600 … 599"),
        (HTTP + "url = 'http://a'\nfinal = 503", "services.s.checks.c.final = 503 … list"),
        (HTTP + "url = 'http://a'\nstatus = 503\nfinal = [503]", "services.s.checks.c … 503 … final"),
        (HTTP + "url = 'http://a'\nfail_fast = 'soon'", 'services.s.checks.c.fail_fast = "soon"'),
        (
            HTTP + f"url = 'http://a'\nstatus = {10**30}",
            "services.s.checks.c.status = a number of many digits",
        ),
        (HTTP + "url = 'http://a'\nfrom = 'hots'", 'services.s.checks.c.from = "hots" … host, runner … "host"'),
        (HTTP + "url = 'http://a'\njson = {a = {b = ['{relase}']}}", 'services.s.checks.c.json … {relase} … "release"'),
        (HTTP + "url = 'http://a'\nheaders = {\"a b\" = 'c'}", "services.s.checks.c.headers … header"),
        (HTTP + "url = 'http://a'\nheaders = {a = \"b\\r\\nc: d\"}", "services.s.checks.c.headers.a = … ASCII"),
        (HTTP + "url = 'http://a'\ntimeout = 0", "services.s.checks.c.timeout = 0 … longer than 0"),
        (HTTP, "services.s.checks.c.url … missing"),
        (TCP + "address = 'localhost'", 'services.s.checks.c.address = "localhost" … host:port'),
        (TCP + "address = '::1:80'", "services.s.checks.c.address = … host:port"),
        (TCP + "address = 'localhost:99999'", "services.s.checks.c.address = … host:port"),
        (TCP + "address = 'deploy@localhost:80'", "services.s.checks.c.address = … host:port"),
        (COMMAND + "run = ' '", "services.s.checks.c.run = … one line"),
        (COMMAND + 'run = "a\\nb"', "services.s.checks.c.run = … one line"),
        (COMMAND + "run = 'ls {relese}'", 'services.s.checks.c.run = … {relese} … "release"'),
        (COMMAND + "run = 'ls'\nphase = 'befor'", 'services.s.checks.c.phase = "befor" … before, after … "before"'),
        (CUSTOM, "services.s.commands.stop … missing"),
        (CUSTOM + "stop = 'a {release}'", "services.s.commands.stop = … {release} … {environment}"),
        (CUSTOM + "stop = ''", "services.s.commands.stop = … one line"),
        (VERIFY + "healthy_deadline = '20'", f'services.s.verify.healthy_deadline = "20" … {DURATION}'),
        (VERIFY + "healthy_deadline = '20 sec'", f'services.s.verify.healthy_deadline = "20 sec" … {DURATION}'),
        (VERIFY + "healthy_deadline = true", f"services.s.verify.healthy_deadline = true … {DURATION}"),
        (VERIFY + "healthy_deadline = []", f"services.s.verify.healthy_deadline … {DURATION}"),
        (VERIFY + "min_healthy_time = -1", "services.s.verify.min_healthy_time = … hour"),
        (VERIFY + "min_healthy_time = nan", "services.s.verify.min_healthy_time = … hour"),
        (VERIFY + "min_healthy_time = '61m'", "services.s.verify.min_healthy_time = … hour"),
        (VERIFY + "on_failure = 'restart'", "services.s.verify.on_failure = … report, restore, older"),
        (
            VERIFY + "healthy_deadline = '3s'",
            CONFLICT,
        ),
        (
            VERIFY + "healthy_deadline = '90s'",
            "services.s … verify.healthy_deadline (90s) … limits.verification (60s)",
        ),
        (
            LIMITS + "total = '10s'",
            "services.s … verify.healthy_deadline (20s) … limits.total (10s)",
        ),
        (LIMITS + "start = '61s'", "services.s.limits … start (61s) … total (60s)"),
        (LIMITS + "start = '30s'\ntotal = '20s'", "services.s.limits … start (30s) … total (20s)"),
        (LIMITS + "start = '40s'\nstop = '21s'", "services.s.limits … stop (21s) … start (40s) … total (60s)"),
        (
            VERIFY + "healthy_deadline = '60s'\nmin_healthy_time = '59s'",
            "services.s … verify.min_healthy_time (59s) … limits.total (60s)",
        ),
        (
            LIMITS + "start = '50s'\n[services.s.verify]\nmin_healthy_time = '11s'",
            "services.s … verify.min_healthy_time (11s) … limits.total (60s) … 50s … limits.start",
        ),
        (
            PROCESS + "healthy_deadline = '60s'\nmin_healthy_time = '59s'",
            "services.s … checks.c.min_healthy_time (59s) … limits.total (60s)",
        ),
        (LIMITS + "stop = 0", "services.s.limits.stop = 0 … longer than 0"),
        ("services = 5", "services = 5 … table"),
        ("[services.'a/b']\nroot = '/s'", 'services."a/b" … name'),
        ("[services.'-a']\nroot = '/s'", "services.-a … name"),
        ("[environments.'']", 'environments."" … name'),
        (ENVIRONMENT + "hosts = 'a'", 'environments.e.hosts = "a" … list'),
        (ENVIRONMENT + "hosts = ['twin', 'twin']", "environments.e.hosts … twin"),
        (ENVIRONMENT + "gateways = ['twin', 'twin']", "environments.e.gateways … twin"),
        (ENVIRONMENT + "url = 'javascript:alert(1)'", "environments.e.url"),
        (ENVIRONMENT + "url = 'https://a/{release}'", "environments.e.url = … {release} … {environment}"),
        (ENVIRONMENT + "require_permission = 'amdin'", 'environments.e.require_permission = "amdin" … "admin"'),
        (
            ENVIRONMENT + "require_permission = '@org'",
            "environments.e.require_permission = … read, triage, write, maintain, admin",
        ),
        (ENVIRONMENT + "require_permission = '@org/a/b'", "environments.e.require_permission = … @org/team"),
        (ENVIRONMENT + "require_permission = 'org/team'", "environments.e.require_permission = … @org/team"),
        (ENVIRONMENT + "unchecked_emergency = 'perhaps'", "environments.e.unchecked_emergency"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(toml: str, facts: str) -> None:
    message = complaint(toml)
    assert holds(message, f"rollback.toml: … {facts}")
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
def test_text_that_is_not_a_host_is_refused(host: str) -> None:
    assert f'environments.e.hosts[0] = "{host}" ' in complaint(f"[environments.e]\nhosts = ['{host}']")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("h", "h:22"),
        ("h", "root@h"),
        ("deploy@h", "root@h:22"),
        ("h:2222", "a@H:2222"),
        ("h.example.org", "h.example.org."),
        ("[::1]", "[0:0::1]:22"),
        ("10.0.0.1", "deploy@10.0.0.1"),
    ],
)
@pytest.mark.parametrize("key", ["hosts", "gateways"])
def test_the_same_host_is_refused_under_two_spellings(key: str, one: str, other: str) -> None:
    assert holds(complaint(f"{ENVIRONMENT}{key} = ['x', '{one}', '{other}']"), f"environments.e.{key} … {one}, {other}")


def test_other_ports_of_one_host_are_other_hosts() -> None:
    hosts = ("h", "h:2222", "deploy@h:2223", "h2", "[::1]", "[::2]")
    assert read(f"{ENVIRONMENT}hosts = {list(hosts)}").environments["e"].hosts == hosts


@pytest.mark.parametrize(
    "lines",
    [
        "limits = { total = '8s' }\nverify = { healthy_deadline = '8s', min_healthy_time = '3s' }",
        "verify = { healthy_deadline = '60s', min_healthy_time = '50s' }",
        "limits = { stop = '50s' }",
        "limits = { stop = '30s', start = '30s' }",
    ],
)
def test_times_that_can_fit_are_accepted_and_default_limits_never_refuse_a_shorter_total(lines: str) -> None:
    assert read(SERVICE + lines).services["s"].root == "/s"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("'500ms'", 0.5), ("'20s'", 20), ("'2m'", 120), ("' 1.5s '", 1.5), ("4", 4), ("0.25", 0.25)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(written: str, seconds: float) -> None:
    assert read(LIMITS + f"connect = {written}").services["s"].limits.connect == seconds


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


# --- metric ----------------------------------------------------------------------------------------------

METRIC = f"{SERVICE}[services.s.checks.c]\nkind = 'metric'\n"
BY_COMMAND = f"{METRIC}source = 'command'\nrun = 'count'\n"
OF_PROMETHEUS = f"{METRIC}source = 'prometheus'\nurl = 'http://p:9090'\n"
BOTH_QUERIES = "errors = 'e{r=\"{release}\"}'\ntotal = 't{r=\"{release}\"}'\n"


@pytest.mark.parametrize(
    "text",
    [
        BY_COMMAND,
        f"{METRIC}source = 'log'\nfile = 'log/access.log'\nerrors = ' 5[0-9][0-9] '\ntotal = ' HTTP/'\n",
        f"{METRIC}source = 'journal'\nerrors = 'ERROR'\ntotal = 'request'\n",
        f"{OF_PROMETHEUS}{BOTH_QUERIES}",
        f"{OF_PROMETHEUS}baseline = 'before'\nerrors = 'e'\ntotal = 't'\nwindow = '30s'\n",
        f"{OF_PROMETHEUS}baseline = 'before'\nlatency = 'b'\nafter_rollback = true\n",
        f"{OF_PROMETHEUS}latency = 'b{{r=\"{{release}}\"}}'\n",
        f"{BY_COMMAND}alpha = 0.2\n",
        f"{BY_COMMAND}alpha = 0.0001\n",
    ],
)
def test_a_metric_that_can_be_read_is_accepted(text: str) -> None:
    assert read(text).services["s"].checks["c"].kind == "metric"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (METRIC, "services.s.checks.c.source … missing"),
        (f"{METRIC}source = 'statsd'\n", "services.s.checks.c.source … prometheus"),
        (f"{METRIC}source = 'command'\n", "services.s.checks.c … lacks run … command"),
        (f"{BY_COMMAND}total = 'x'\n", "services.s.checks.c … has total … command … run"),
        (f"{METRIC}source = 'log'\nerrors = 'a'\ntotal = 'b'\n", "lacks file"),
        (f"{METRIC}source = 'journal'\nerrors = 'a'\n", "lacks total"),
        (f"{METRIC}source = 'prometheus'\nerrors = 'a'\ntotal = 'b'\n", "lacks url"),
        (f"{OF_PROMETHEUS}errors = 'a'\ntotal = 'b'\n", "lacks {release} … control"),
        (f"{OF_PROMETHEUS}baseline = 'before'\n{BOTH_QUERIES}", "has {release} in errors … before"),
        (f"{OF_PROMETHEUS}latency = 'b'\n", "lacks {release} in latency … control"),
        (f"{OF_PROMETHEUS}latency = 'b'\nerrors = 'e'\n", "has errors … url, latency"),
        (f"{METRIC}source = 'prometheus'\nlatency = 'b'\n", "lacks url"),
        (f"{BY_COMMAND}latency = 'b'\n", "has latency … command"),
        (f"{BY_COMMAND}after_rollback = true\n", "after_rollback … before"),
        (f"{BY_COMMAND}baseline = 'before'\n", "before … prometheus"),
        (f"{BY_COMMAND}alpha = 0.3\n", "services.s.checks.c.alpha … 0.3 … 0.2"),
        (f"{BY_COMMAND}alpha = 0.00001\n", "services.s.checks.c.alpha … 0.0001"),
        (f"{BY_COMMAND}alpha = nan\n", "services.s.checks.c.alpha"),
        (f"{BY_COMMAND}alpha = 'much'\n", "services.s.checks.c.alpha … number"),
        (f"{BY_COMMAND}window = '90s'\n", "window (90s) … 8 ticks"),
        (
            f"{OF_PROMETHEUS}baseline = 'before'\nerrors = 'e'\ntotal = 't'\nwindow = '20s'\n",
            "window (20s) … 2 ticks",
        ),
        (f"{BY_COMMAND}min_healthy_time = '5s'\n", "has min_healthy_time"),
    ],
)
def test_a_metric_that_cannot_be_read_is_refused_with_the_reason(text: str, facts: str) -> None:
    assert holds(complaint(text), facts)


def test_a_manager_without_a_journal_has_none_to_count_in() -> None:
    text = "[services.s]\nroot = '/s'\nmanager = 'supervisor'\n[services.s.checks.c]\nkind = 'metric'\n"
    assert holds(complaint(f"{text}source = 'journal'\nerrors = 'a'\ntotal = 'b'\n"), "checks.c … supervisor … journal")
