"""Files that an untrusted user could have written are neither run nor written to: refused with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import command
from tests.support.scene import FIRST, QUICK, SECOND, THIRD, WHY, listing
from tests.support.untouched import refusal, untouched

Deploy = Callable[..., Deployed]
ROLLBACK = ("rollback", "prod", *WHY, "--json")
STORE = "umask 077; mkdir -p .rollback/runs; touch .rollback/journal.jsonl .rollback/lock; chown -R {0}: .rollback"


def prepared(
    deploy: Deploy, rollback_ops: RollbackOps, change: str, owner: str = "deploy", **settings: Any
) -> Deployed:
    """A service in whose root this was done, as root."""
    service = deploy(owner=owner)
    rollback_ops.settings(service.toml(**{"verify": QUICK, **settings}))
    service.host.run(f"cd {service.root} && {change.format(owner)}")
    return service


@pytest.mark.parametrize(
    ("change", "place", "why"),
    [
        ("chmod o+w .", "", "everybody"),
        pytest.param("chmod 1777 .", "", "everybody", marks=pytest.mark.long),
        ("chown :plain . && chmod g+w .", "", "group plain"),
        pytest.param("chown plain backups", "/backups", "plain", marks=pytest.mark.long),
        pytest.param("chown 4711 backups/prod", "/backups/prod", "4711", marks=pytest.mark.long),
        ("chmod 0777 backups/prod", "/backups/prod", "everybody"),
        (f"{STORE} && chown plain .rollback", "/.rollback", "plain"),
        pytest.param(f"{STORE} && chmod 0777 .rollback", "/.rollback", "everybody", marks=pytest.mark.long),
        pytest.param(f"{STORE} && chown plain .rollback/runs", "/.rollback/runs", "plain", marks=pytest.mark.long),
        (f"{STORE} && chmod 0666 .rollback/lock", "/.rollback/lock", "everybody"),
        ("ln -s /tmp .rollback && chown -h plain .rollback", "/.rollback", "plain"),
    ],
)
def test_a_place_that_somebody_else_could_have_filled_is_refused(
    rollback_ops: RollbackOps, deploy: Deploy, change: str, place: str, why: str
) -> None:
    service = prepared(deploy, rollback_ops, change)
    before = listing(service)
    with untouched(service):
        ended = rollback_ops(*ROLLBACK)
        rollback_ops.settings(service.toml(hosts=[f"root@{service.host.address}"]))
        as_root = rollback_ops(*ROLLBACK, "--emergency")
    for detail in (refusal(ended), refusal(as_root)):
        assert (f"{service.root}{place} " in detail, why in detail) == (True, True)
    assert listing(service) == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("chown plain {}", "plain"),
        ("chmod o+w {}", "everybody"),
        ("chown :plain {0} && chmod g+w {0}", "group plain"),
    ],
)
def test_a_release_that_somebody_else_could_have_put_there_is_not_chosen(
    rollback_ops: RollbackOps, deploy: Deploy, change: str, why: str
) -> None:
    service = prepared(deploy, rollback_ops, f"cd backups/prod && {change.format(SECOND)}")
    with untouched(service):
        named = rollback_ops(*ROLLBACK, "--backup", SECOND)
    assert (refusal(named).startswith(SECOND), why in refusal(named)) == (True, True)
    ended = rollback_ops(*ROLLBACK)
    assert (ended.code, ended.document["to"]["release"]) == (0, FIRST), ended.err
    assert why in {rejected["release"]: rejected["why"] for rejected in ended.document["rejected"]}[SECOND]


@pytest.mark.parametrize("tool", [True, False], ids=["with getfacl", "without getfacl"])
def test_a_release_that_a_list_lets_somebody_else_write_to_is_not_chosen(
    rollback_ops: RollbackOps, deploy: Deploy, tool: bool
) -> None:
    service = prepared(deploy, rollback_ops, ":")
    # The host's file system is this machine's, and the host has neither of the tools.
    release, getfacl = (
        service.host.path(f"{service.releases_directory}/{SECOND}"),
        service.host.path("/usr/bin/getfacl"),
    )
    command("setfacl", "-m", "u:nobody:rwX", str(release))
    if tool:
        shutil.copy("/usr/bin/getfacl", getfacl)
    try:
        with untouched(service):
            named = rollback_ops(*ROLLBACK, "--backup", SECOND)
        ended = rollback_ops(*ROLLBACK)
    finally:
        getfacl.unlink(missing_ok=True)
    assert (refusal(named).startswith(SECOND), "nobody" in refusal(named)) == (True, tool)
    assert (ended.code, ended.document["to"]["release"]) == (0, FIRST), ended.err


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        # What `umask 002` leaves where every user has a group of their own.
        ("chmod -R g+w .", []),
        ("chown -R root: backups && chmod -R g+w backups", []),
        ("chown -R plain backups/prod/*", ["plain"]),
        ("chown -R :plain . && chmod -R g+ws .", ["%plain"]),
        ("chown -R plain:admin backups/* && chmod -R g+w .", ["%admin"]),
        (STORE, []),
    ],
)
def test_what_is_shared_on_purpose_is_rolled_back(
    rollback_ops: RollbackOps, deploy: Deploy, change: str, trusted: list[str]
) -> None:
    service = prepared(deploy, rollback_ops, change, trusted=trusted)
    ended = rollback_ops(*ROLLBACK)
    assert (ended.code, ended.document["to"]["release"]) == (0, SECOND), ended.err
    assert service.is_running()


def test_a_seal_and_a_line_by_hand_are_not_written_where_somebody_else_reads_them(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = prepared(deploy, rollback_ops, f"{STORE} && chmod 0777 .rollback", owner="root")
    before = listing(service)
    sealed = rollback_ops("seal", "prod", SECOND)
    logged = rollback_ops("history", "log", "--env", "prod", "--backup", SECOND, "--reason", "SSH was down")
    verified = rollback_ops("verify", "prod", "--json")
    assert (sealed.code, logged.code, verified.document["outcome"]) == (1, 1, "succeeded")
    assert SECOND in sealed.err
    assert ".rollback" in logged.err
    assert listing(service) == before


def test_what_a_rollback_writes_is_its_owners_only_and_what_the_service_needs_is_readable(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    """The service runs as somebody else: what is linked and made on its behalf must not be hidden from it."""
    service = deploy(owner="root", options=["User=plain"], files={"conf/deep/app.toml": "x = 1\n"})
    asks = {"kind": "command", "run": "touch /tmp/{release}-asked"}
    links = {"config.json": "config-{environment}.json", "etc/app/app.toml": "conf/deep/app.toml"}
    rollback_ops.settings(service.toml(verify=QUICK, links=links, checks={"asks": asks}))
    rollback_ops("seal", "prod", SECOND)
    ended = rollback_ops(*ROLLBACK)
    assert ended.code == 0, ended.err
    written = service.host.run(f"find {service.root}/.rollback -printf '%m %y %P\\n'").stdout.splitlines()
    assert len(written) > 10
    assert {line[:5] for line in written} <= {"700 d", "600 f", "600 p"}
    read = f"cat {service.root}/current/etc/app/app.toml {service.root}/current/config.json"
    assert "x = 1" in service.host.run(read, user="plain").stdout
    assert service.host.run(f"stat -c %a /tmp/{SECOND}-asked").stdout == "644\n"
    assert service.host.run(f"stat -c %a {service.root}/current/etc").stdout == "755\n"
    assert service.live() != THIRD


def test_the_program_on_the_host_trusts_no_more_than_the_command(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(owner="root")
    rollback_ops.settings(service.toml(verify=QUICK))
    assert rollback_ops("install", "prod").code == 0
    by_hand = f"{service.root}/.rollback/rollback --reason 'logins fail'"
    service.host.run(f"chown plain {service.releases_directory}/{SECOND}")
    dry_run = service.host.run(f"{by_hand} --dry-run").stdout
    assert [line for line in dry_run.splitlines() if SECOND in line and "plain" in line]
    service.host.run(f"chmod o+w {service.root}")
    with untouched(service):
        ended = service.host.run(f"{by_hand} --emergency", check=False)
    assert ended.returncode == 1
    assert f"{service.root} " in ended.stdout + ended.stderr
