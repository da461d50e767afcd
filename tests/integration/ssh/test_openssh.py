"""The user's OpenSSH configuration: ``~/.ssh/config``, ssh-agent, key files, known hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rollback_ops.core.errors import AuthenticationFailed, HostUntrusted, UsageError
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import LoginIdentity
from rollback_ops.hosts.ssh.transport import SshTransport
from tests.support.sshd import USER, Sshd, fingerprint_by_openssh

NOWHERE = Path("/nonexistent")


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home/.ssh").mkdir(parents=True)
    return tmp_path / "home"


def configure(home: Path, text: str) -> None:
    (home / ".ssh/config").write_text(text)


def person(home: Path, host: str, gateways: tuple[str, ...] = ()) -> SshTransport:
    return SshTransport(host, gateways, LoginIdentity.of_person(home, NOWHERE), KnownHosts.of_person(home, NOWHERE))


def output(transport: SshTransport, command: str) -> list[str]:
    lines: list[str] = []
    try:
        transport.execute(command, lines.append, 10)
    finally:
        transport.close()
    return lines


def route(home: Path, host: str, gateways: tuple[str, ...] = ()) -> list[str]:
    hops = LoginIdentity.of_person(home, NOWHERE).route(host, gateways)
    return [f"{hop.settings.user}@{hop.settings.host}:{hop.settings.port}" for hop in hops]


def test_the_configuration_decides_the_address_and_the_key_of_a_host(
    home: Path, sshd: Sshd, client_keys: dict[str, Path]
) -> None:
    (home / "keys").mkdir()
    (home / "keys/work").write_text(client_keys["rsa"].read_text())
    (home / "known").write_text(sshd.known_hosts())
    configure(
        home,
        f"""
        Host bot
            HostName 127.0.0.1
            Port {sshd.port}
            User {USER}
            IdentityFile ~/keys/work
            UserKnownHostsFile ~/known
        """,
    )
    assert output(person(home, "bot"), "echo in") == ["in"]


def test_an_address_in_the_settings_wins_over_the_configuration(home: Path) -> None:
    configure(home, "Host bot\n HostName 192.0.2.1\n User alice\n Port 2201\n")
    assert route(home, "bob@bot:2202") == ["bob@192.0.2.1:2202"]


def test_without_configuration_the_usual_key_files_are_offered(
    home: Path, sshd: Sshd, client_keys: dict[str, Path]
) -> None:
    (home / ".ssh/id_ecdsa").write_text(client_keys["ecdsa"].read_text())
    (home / ".ssh/known_hosts").write_text(sshd.known_hosts())
    assert output(person(home, sshd.address), "echo in") == ["in"]


def test_keys_of_the_agent_are_offered(
    home: Path, sshd: Sshd, client_keys: dict[str, Path], agent: Callable[[Path], None]
) -> None:
    agent(client_keys["rsa"])
    (home / ".ssh/known_hosts").write_text(sshd.known_hosts())
    assert output(person(home, sshd.address), "echo in") == ["in"]


def test_of_the_agents_keys_the_one_that_the_configuration_names_is_offered_first(
    home: Path, start_sshd: Callable[..., Sshd], client_keys: dict[str, Path], agent: Callable[[Path], None]
) -> None:
    server = start_sshd("MaxAuthTries 1")
    agent(client_keys["stranger"])
    agent(client_keys["ed25519"])
    (home / ".ssh/known_hosts").write_text(server.known_hosts())
    configure(home, f"IdentityFile {client_keys['ed25519']}.pub\n")
    assert output(person(home, server.address), "echo in") == ["in"]


def test_identities_only_keeps_the_agents_other_keys_back(
    home: Path, sshd: Sshd, client_keys: dict[str, Path], agent: Callable[[Path], None]
) -> None:
    agent(client_keys["ed25519"])
    (home / ".ssh/known_hosts").write_text(sshd.known_hosts())
    configure(home, f"IdentityFile {client_keys['stranger']}\nIdentitiesOnly yes\n")
    with pytest.raises(AuthenticationFailed) as caught:
        output(person(home, sshd.address), "true")
    assert fingerprint_by_openssh(client_keys["stranger"]) in caught.value.message
    assert fingerprint_by_openssh(client_keys["ed25519"]) not in caught.value.message


def test_a_key_file_that_is_locked_is_named_with_the_way_to_unlock_it(
    home: Path, sshd: Sshd, client_keys: dict[str, Path]
) -> None:
    (home / ".ssh/known_hosts").write_text(sshd.known_hosts())
    configure(home, f"IdentityFile {client_keys['locked']}\n")
    with pytest.raises(AuthenticationFailed) as caught:
        output(person(home, sshd.address), "true")
    assert f"ssh-add {client_keys['locked']}" in caught.value.hint


def test_proxyjump_is_followed_through_connections_that_are_each_verified(
    home: Path, start_sshd: Callable[..., Sshd], client_keys: dict[str, Path]
) -> None:
    outer, inner, target = start_sshd(), start_sshd(), start_sshd()
    (home / ".ssh/id_ed25519").write_text(client_keys["ed25519"].read_text())
    configure(
        home,
        f"""
        Host bot
            HostName 127.0.0.1
            Port {target.port}
            ProxyJump inner
        Host inner
            HostName 127.0.0.1
            Port {inner.port}
            ProxyJump {USER}@127.0.0.1:{outer.port}
        """,
    )
    known = home / ".ssh/known_hosts"
    known.write_text(outer.known_hosts() + inner.known_hosts() + target.known_hosts())
    assert output(person(home, "bot"), "echo $SSH_CONNECTION")[0].endswith(f" {target.port}")
    known.write_text(outer.known_hosts() + target.known_hosts())
    with pytest.raises(HostUntrusted, match=r"^inner: "):
        output(person(home, "bot"), "true")


def test_several_jumps_come_in_the_order_in_which_they_are_written(home: Path) -> None:
    configure(home, "Host bot\n ProxyJump a@first,b@second:2222\nHost first\n ProxyJump c@zeroth\nUser u\n")
    assert route(home, "u@bot") == ["c@zeroth:22", "a@first:22", "b@second:2222", "u@bot:22"]


def test_gateways_in_the_settings_take_the_place_of_proxyjump(home: Path) -> None:
    configure(home, "Host bot gate\n ProxyJump elsewhere\n Port 2222\nHost *\n User u\n")
    assert route(home, "bot", ("gate",)) == ["u@gate:2222", "u@bot:2222"]


def test_proxyjump_in_a_circle_is_a_usage_error(home: Path) -> None:
    configure(home, "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")
    with pytest.raises(UsageError, match="ProxyJump"):
        route(home, "a")


def test_proxycommand_is_refused_and_not_run(home: Path, tmp_path: Path) -> None:
    configure(home, f"Host bot\n ProxyCommand touch {tmp_path}/ran\nHost fine\n ProxyCommand none\n User u\n")
    with pytest.raises(UsageError, match="ProxyCommand"):
        route(home, "bot")
    assert route(home, "fine") == ["u@fine:22"]
    assert not (tmp_path / "ran").exists()


def test_match_exec_is_left_out_with_a_warning_and_never_run(home: Path, tmp_path: Path) -> None:
    configure(
        home,
        f"""User u
        Match originalhost bot exec "touch {tmp_path}/ran"
            Port 1
        Match originalhost bot !exec "touch {tmp_path}/ran"
            Port 2
        Match host bot
            Port 2222
        """,
    )
    identity = LoginIdentity.of_person(home, NOWHERE)
    assert [hop.settings.port for hop in identity.route("bot")] == [2222]
    assert not (tmp_path / "ran").exists()
    assert [w.split(": ")[0] for w in identity.warnings] == [f"{home}/.ssh/config line {n}" for n in (2, 4)]
    assert all("Match exec" in warning for warning in identity.warnings)


def test_included_files_are_read_and_belong_to_the_block_that_includes_them(home: Path) -> None:
    (home / ".ssh/config.d").mkdir()
    (home / ".ssh/config.d/10-bots").write_text("Host bot*\n Port 2222\n")
    (home / ".ssh/config.d/20-more").write_text("Host bot1\n HostKeyAlias one\n")
    (home / ".ssh/more").write_text("User v\n")
    configure(home, "Include config.d/*\nHost bot1\n Include ~/.ssh/more\n HostName 192.0.2.1\n")
    assert route(home, "bot1") == ["v@192.0.2.1:2222"]
    assert route(home, "u@bot2") == ["u@bot2:2222"]


@pytest.mark.parametrize(
    "text",
    [
        "Host bot1\n Port 1\nHost bot*\n Port 2\n User u\nHost *\n User w\n",
        "Host * !bot1\n User u\nHost bot?\n HostName %h.example.org\n",
        "User=first\n# User second\nPort 7\nHost bot1\nUser third\nPort 8\n",
        "Host bot1\n HostName other\nMatch host other\n User u\nMatch originalhost bot1\n Port 9\nMatch all\n User z\n",
        "Match !originalhost bot1\n User u\nMatch user v\n Port 5\nHost *\n User v\nMatch user v\n Port 6\n",
        "Host bot1\n ProxyJump a@gate:2222,second\n",
    ],
)
@pytest.mark.parametrize("host", ["bot1", "bot2"])
def test_the_configuration_has_the_same_result_as_in_openssh(home: Path, text: str, host: str) -> None:
    configure(home, text)
    command = ["ssh", "-G", "-F", str(home / ".ssh/config"), host]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    target = LoginIdentity.of_person(home, NOWHERE).route(host)[-1].settings
    assert (target.host, target.user, str(target.port)) == (said["hostname"], said["user"], said["port"])
    assert ",".join(target.jumps) == said.get("proxyjump", "")


def test_the_users_configuration_wins_over_the_machines(home: Path, tmp_path: Path) -> None:
    (tmp_path / "etc/ssh_config.d").mkdir(parents=True)
    (tmp_path / "etc/ssh_config").write_text(
        f"Include {tmp_path}/etc/ssh_config.d/*.conf\nHost *\n User system\n Port 3\n"
    )
    (tmp_path / "etc/ssh_config.d/x.conf").write_text("Host bot\n HostName 192.0.2.9\n")
    configure(home, "Host bot\n User mine\n")
    (hop,) = LoginIdentity.of_person(home, tmp_path / "etc").route("bot")
    assert (hop.settings.user, hop.settings.host, hop.settings.port) == ("mine", "192.0.2.9", 3)


def test_reading_the_configuration_makes_no_dns_query(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("the DNS was asked")

    for function in ("getfqdn", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(f"socket.{function}", asked)
    configure(home, "CanonicalizeHostname yes\nCanonicalDomains example.org\nIdentityFile ~/.ssh/%r\nUser u\n")
    assert route(home, "bot") == ["u@bot:22"]


@pytest.mark.parametrize(
    ("text", "host", "plain"),
    [
        ("Host bot\n HostName 192.0.2.1\n User u\n Port 2222\n", "bot", ("u@192.0.2.1:2222", True)),
        ("Host bot\n HostName 2001:db8::1\n User u\n", "v@bot", ("v@[2001:db8::1]", True)),
        ("User u\nIdentityFile ~/work\n", "bot.example.org:22", ("u@bot.example.org", True)),
        ("Host bot\n HostName 192.0.2.1\n User u\n IdentityFile ~/work\n", "bot", ("u@192.0.2.1", False)),
        ("Host bot\n HostName 192.0.2.1\n User u\n ProxyJump gate\n", "bot", ("u@192.0.2.1", False)),
        ("Host 192.0.2.1\n Port 2222\nHost bot\n HostName 192.0.2.1\n User u\n", "bot", ("u@192.0.2.1", False)),
    ],
)
def test_the_address_behind_an_alias_replaces_it_only_where_it_leads_there_the_same_way(
    home: Path, text: str, host: str, plain: tuple[str, bool]
) -> None:
    configure(home, text)
    assert LoginIdentity.of_person(home, NOWHERE).plain_address(host) == plain


@pytest.mark.parametrize("text", ["Host bot\n Port many\n", "Host bot\n ConnectTimeout 5s\n", 'Host "bot\n'])
def test_a_configuration_that_cannot_be_parsed_is_a_usage_error(home: Path, text: str) -> None:
    configure(home, text)
    with pytest.raises(UsageError):
        route(home, "bot")


def test_the_users_fabric_configuration_is_not_executed_and_nothing_is_printed(
    home: Path, sshd: Sshd, client_keys: dict[str, Path]
) -> None:
    (home / ".fabric.py").write_text(f"open({str(home / 'ran')!r}, 'w').close()\n")
    environment = dict(os.environ, HOME=str(home), KEY=client_keys["ed25519"].read_text(), KNOWN=sshd.known_hosts())

    def python(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    python("import fabric; fabric.Config()")
    assert (home / "ran").exists(), "Fabric left to itself would have run it"
    (home / "ran").unlink()
    done = python(
        "import os\n"
        "from rollback_ops.core.errors import HostUnreachable\n"
        "from rollback_ops.hosts.ssh.identity import LoginIdentity\n"
        "from rollback_ops.hosts.ssh.transport import SshTransport\n"
        "from rollback_ops.hosts.ssh.host_keys import KnownHosts\n"
        "identity, trust = LoginIdentity.from_text(os.environ['KEY']), KnownHosts.from_text(os.environ['KNOWN'])\n"
        f"host = SshTransport({sshd.address!r}, (), identity, trust)\n"
        "host.execute('echo in', print, 10)\n"
        "try: host.execute('kill -9 $PPID; sleep 9', print, 10)\n"
        "except Exception as error: print(type(error).__name__)\n"
        "host.close()\n"
        "try: SshTransport('nobody@' + host.name.split('@')[1], (), identity, trust).connect()\n"
        "except HostUnreachable as error: print(type(error).__name__)\n"
    )
    assert done.stdout.split() == ["in", "ConnectionLost", "AuthenticationFailed"]
    assert done.stderr == ""
    assert not (home / "ran").exists()
