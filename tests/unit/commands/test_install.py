"""Installing the break-glass program on fake hosts, and the warnings about outdated ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollback_ops.commands.context import Context
from rollback_ops.commands.install import install, outdated, program_for, uninstall
from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.errors import AuthenticationFailed, Exit, HostUnreachable
from rollback_ops.core.tasks import Cancellation
from rollback_ops.hosts.agent import bundle
from tests.support.fakes import FakeHost, raising

SERVICE = {
    "root": "/opt/rosey-bot",
    "layout": "backups",
    "units": ["cytube-bot"],
    "checks": {
        "health": {"kind": "http", "url": "http://localhost:8080/health", "json": {"release": "{release}"}},
        "config": {"kind": "command", "run": "test -e {release}.json", "phase": "before"},
    },
}


def context(*hosts: FakeHost, **settings: object) -> Context:
    made = Settings.model_validate(
        {"services": {"rosey": SERVICE | settings}, "environments": {"prod": {"hosts": ["h1"]}}}
    )
    request = Request(environment="prod")
    return Context(request, resolve(made, request), list(hosts))


def test_the_program_is_installed_on_every_host() -> None:
    hosts = [FakeHost("h1"), FakeHost("h2", program="#!/bin/sh\n# an older one\n")]
    done = install(context(*hosts), Cancellation())
    assert (done.exit_code, done.path) == (Exit.OK, "/opt/rosey-bot/.rollback/rollback")
    assert done.hosts == {"h1": "installed", "h2": "replaced"}
    assert install(context(*hosts), Cancellation()).hosts == {"h1": "unchanged", "h2": "unchanged"}


def test_a_host_that_is_down_does_not_hold_up_the_others() -> None:
    hosts = [FakeHost("h1", before={"install": raising(HostUnreachable("h1: no answer", "Is it up?"))}), FakeHost("h2")]
    done = install(context(*hosts), Cancellation())
    assert (done.exit_code, list(done.lost), list(done.hosts)) == (Exit.REFUSED, ["h1"], ["h2"])
    assert [host.did("close") for host in hosts] == [[""], [""]]


def test_a_current_program_and_a_missing_one_cause_no_warning() -> None:
    hosts = [FakeHost("h1"), FakeHost("h2")]
    now = context(*hosts)
    hosts[0].program = program_for(now)
    assert list(outdated(now, ["h1", "h2"])) == []


def test_a_program_with_other_settings_causes_a_warning_that_says_what_to_run() -> None:
    host = FakeHost("h1")
    host.program = program_for(context(host))
    (warning,) = outdated(context(host, units=["another"]), ["h1"])
    assert warning.startswith("h1: ")
    assert "rollback-ops install prod" in warning


@pytest.mark.parametrize("names", [[], ["h1"]])
def test_a_host_that_did_not_answer_is_not_tried_again(names: list[str]) -> None:
    host = FakeHost("h1", before={"stamp": raising(AuthenticationFailed("no"))})
    assert list(outdated(context(host), names)) == []
    assert host.did("stamp") == [""] * len(names)


def test_the_program_is_the_same_in_an_emergency() -> None:
    now = context(FakeHost())
    assert program_for(now) == program_for(replace(now, request=replace(now.request, emergency=True)))


def test_the_program_fits_into_one_command_with_room_for_the_settings() -> None:
    """Linux takes 131,072 bytes for one argument: 50,000 are left for settings."""
    assert len(bundle.command(program_for(context(FakeHost())), "install", packed=True)) < 80_000


@pytest.mark.parametrize(("timeout", "usual", "in_an_emergency"), [("30s", "120", "40"), ("2s", "64", "34")])
def test_a_host_has_time_for_its_traffic_beyond_the_limits(timeout: str, usual: str, in_an_emergency: str) -> None:
    traffic = {"drain": "true", "undrain": "true", "timeout": timeout}
    program = program_for(context(FakeHost("h1"), traffic=traffic))
    assert f"RO_TOTAL_LIMIT={usual}\n" in program
    hurry = next(line for line in program.splitlines() if line.startswith("hurry()"))
    assert f" RO_TOTAL_LIMIT={in_an_emergency} " in hurry
    assert f" RO_TRAFFIC_LIMIT={min(5, int(timeout[:-1]))};" in hurry


def test_it_is_removed_from_every_host_that_answers() -> None:
    gone = FakeHost("h1", before={"uninstall": raising(HostUnreachable("h1: no answer", "Is it up?"))})
    hosts = [gone, FakeHost("h2", program="#!/bin/sh\n"), FakeHost("h3")]
    done = uninstall(context(*hosts), Cancellation(), purge=False)

    assert (done.exit_code, list(done.lost)) == (Exit.REFUSED, ["h1"])
    assert done.hosts == {"h2": "removed", "h3": "absent"}
    assert uninstall(context(hosts[1]), Cancellation(), purge=True).hosts == {"h2": "purged"}
