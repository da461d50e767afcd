"""The lab proves itself: what other tests take for granted about their hosts."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Callable

import pytest

from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab

# Of what tests stand on, not of the program.
pytestmark = pytest.mark.long


def test_a_booted_host_is_a_machine_of_its_own_where_nothing_failed(host: LabHost) -> None:
    assert host.run("cat /proc/1/comm /etc/hostname").stdout.split() == ["systemd", host.name]
    assert host.run("systemctl is-system-running --wait").stdout.strip() == "running"


@pytest.mark.parametrize("user", ["root", "deploy", "admin", "plain"])
def test_every_user_logs_in_with_the_key_of_the_lab(host: LabHost, user: str) -> None:
    assert host.ssh("id -un", user=user).stdout.strip() == user


@pytest.mark.parametrize(
    ("user", "command", "allowed"),
    [
        ("admin", "true", True),
        ("deploy", "systemctl list-units", True),
        ("deploy", "true", False),
        ("plain", "systemctl list-units", False),
    ],
)
def test_sudo_serves_each_user_as_far_as_it_should(host: LabHost, user: str, command: str, allowed: bool) -> None:
    done = host.ssh(f"sudo -n {command}", user=user, check=False)
    assert (done.returncode == 0) is allowed, done.stderr


def test_files_that_are_written_are_there_with_their_owner_and_mode(host: LabHost) -> None:
    host.write("/srv/some where/it's", "a\nb\n", owner="deploy", mode=0o640)
    assert host.read("/srv/some where/it's") == "a\nb\n"
    assert host.run("stat -c '%U %G %a' \"/srv/some where/it's\"").stdout == "deploy deploy 640\n"


@pytest.mark.parametrize(
    ("manager", "layout"), [("systemd", "backups"), ("systemd-user", "releases"), ("supervisor", "backups")]
)
def test_a_deployed_service_answers_with_its_release(
    deploy: Callable[..., Deployed], manager: str, layout: str
) -> None:
    service = deploy(manager=manager, layout=layout, owner="deploy", units=2)
    newest = "backup_20240103_120000"
    assert service.live() == newest
    for unit in (0, 1):
        assert service.health(unit) == {"status": "ok", "release": newest, "config": {"environment": "prod"}}
    assert service.is_running()
    service.stop()
    assert not service.is_running()
    assert service.health() is None


def test_a_unit_may_tell_systemd_when_it_is_ready(deploy: Callable[..., Deployed]) -> None:
    assert deploy(options=["Type=notify"]).is_running()


@pytest.mark.parametrize("manager", ["systemd", "systemd-user", "supervisor"])
def test_a_removed_service_leaves_no_process_and_no_failed_unit(host: LabHost, manager: str) -> None:
    service = host.deploy(manager=manager, owner="deploy", releases={"a": "ignores_sigterm"}, units=2)
    service.remove()
    assert service.health() is None
    assert host.run(f"exec pgrep -f {service.root}/", check=False).stdout == ""
    assert host.run("systemctl --failed --no-legend").stdout == ""


def test_further_files_of_a_service_belong_to_its_owner_as_do_the_directories_that_lead_to_them(
    deploy: Callable[..., Deployed],
) -> None:
    service = deploy(owner="deploy", start=False, files={"one/two/file": "text"})
    assert service.host.read(f"{service.root}/one/two/file") == "text"
    assert service.host.run(f"find {service.root} ! -user deploy").stdout == ""
    assert not service.is_running()


def test_a_service_is_described_by_the_settings_it_writes(deploy: Callable[..., Deployed]) -> None:
    service = deploy(releases={"1": "healthy", 'odd "one"\n': "healthy"}, live="1")
    document = tomllib.loads(service.toml(verify={"min_healthy_time": "0s"}, environment={"gateways": ["a@b"]}))
    section = document["services"][service.name]
    assert section["units"] == [service.name]
    assert section["verify"] == {"min_healthy_time": "0s"}
    assert document["environments"]["prod"] == {"hosts": [f"root@{service.host.address}"], "gateways": ["a@b"]}


def test_two_hosts_with_the_same_service_differ_in_nothing_but_their_addresses(
    hosts: Callable[[int], list[LabHost]],
) -> None:
    one, two = (host.deploy("twin") for host in hosts(2))
    assert (one.root, one.port, one.units) == (two.root, two.port, two.units)
    one.stop()
    assert one.health() is None
    assert two.health() is not None


def test_a_host_reaches_another_one(hosts: Callable[[int], list[LabHost]]) -> None:
    one, two = hosts(2)
    script = f"bash -c 'exec 3<>/dev/tcp/{two.address}/22; head -c 4 <&3'"
    assert one.run(script).stdout == "SSH-"


def test_a_cut_host_is_silent_and_a_restored_one_goes_on_with_the_same_connection(fresh_host: LabHost) -> None:
    with socket.create_connection((fresh_host.address, 22), timeout=5) as connection:
        connection.settimeout(0.5)
        connection.recv(1000)
        fresh_host.cut_network()
        connection.sendall(b"SSH-2.0-test\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1000)
        with pytest.raises(TimeoutError):
            socket.create_connection((fresh_host.address, 22), timeout=0.5)
        assert fresh_host.run("echo alive").stdout == "alive\n"
        fresh_host.restore_network()
        connection.settimeout(10)
        assert connection.recv(1000)


def test_a_host_whose_power_failed_keeps_its_disk_and_starts_its_services_again(fresh_host: LabHost) -> None:
    service = fresh_host.deploy(owner="deploy")
    fresh_host.write("/var/lib/kept", "kept")
    fresh_host.power_off()
    with pytest.raises(TimeoutError):
        socket.create_connection((fresh_host.address, 22), timeout=0.3)
    fresh_host.power_on()
    assert fresh_host.read("/var/lib/kept") == "kept"
    wait_until(service.listens, 60, "the service after the boot")


def test_a_host_may_have_a_small_disk_that_can_be_filled_and_that_outlives_a_power_failure(lab: Lab) -> None:
    with lab.boot("small", srv_mib=2) as small:
        small.write("/srv/some where/kept", "kept")
        small.run("head -c 9999999 /dev/zero >/srv/filling", check=False)
        assert small.run("df --output=avail /srv").stdout.split() == ["Avail", "0"]
        assert small.run("echo more >/srv/more", check=False).returncode != 0
        assert small.path("/srv/some where/kept").read_text() == "kept"
        small.power_off()
        assert small.path("/srv/some where/kept").read_text() == "kept"
        small.power_on()
        assert small.read("/srv/some where/kept") == "kept"
        assert small.path("/etc/hostname").read_text() == "small\n"


def test_a_changed_host_key_is_refused_by_those_who_knew_the_old_one(fresh_host: LabHost) -> None:
    old = fresh_host.known_hosts_line()
    fresh_host.change_host_key()
    assert fresh_host.known_hosts_line() != old
    assert fresh_host.ssh("echo in").stdout == "in\n"
    script = f"echo '{old}' >known; ssh -o UserKnownHostsFile=known -o BatchMode=yes {fresh_host.address}"
    assert "IDENTIFICATION HAS CHANGED" in fresh_host.run(script, check=False).stderr


def test_hosts_boot_together(lab: Lab) -> None:
    booted = lab.boot_all(["a", "b", "c"])
    assert [host.name for host in booted] == ["a", "b", "c"]
    assert all(host.address in lab.known_hosts for host in booted)
    for host in booted:
        host.close()
    assert not any(host.address in lab.known_hosts for host in booted)
