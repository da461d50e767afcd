"""install, and what check says of what is installed: on made-up hosts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollback_ops.commands.context import Context
from rollback_ops.commands.install import install, stale, text_for
from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.errors import AuthenticationFailed, Exit, HostUnreachable
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


def wired(*hosts: FakeHost, **settings: object) -> Context:
    made = Settings.model_validate(
        {"services": {"rosey": SERVICE | settings}, "environments": {"prod": {"hosts": ["h1"]}}}
    )
    request = Request(environment="prod")
    return Context(request, resolve(made, request), list(hosts))


def test_the_program_is_put_on_every_host_and_what_became_of_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    hosts = [FakeHost("h1"), FakeHost("h2", program="#!/bin/sh\n# an older one\n")]
    assert install(wired(*hosts), as_json=True) == Exit.OK
    place = "/opt/rosey-bot/.rollback/rollback"
    told = [{"host": "h1", "outcome": "installed"}, {"host": "h2", "outcome": "replaced"}]
    assert json.loads(capsys.readouterr().out) == {"path": place, "hosts": told}
    assert install(wired(*hosts), as_json=False) == Exit.OK
    assert capsys.readouterr().out.splitlines() == [f"✓ h1  {place}: unchanged", f"✓ h2  {place}: unchanged"]


def test_a_host_that_is_down_does_not_hold_up_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    hosts = [FakeHost("h1", before={"install": raising(HostUnreachable("h1: no answer", "Is it up?"))}), FakeHost("h2")]
    assert install(wired(*hosts), as_json=False) == Exit.REFUSED
    told = capsys.readouterr()
    assert "✗ h1  no answer" in told.err
    assert "✓ h2  " in told.out
    assert [host.did("close") for host in hosts] == [[""], [""]]


def test_what_is_as_it_should_be_and_what_was_never_installed_is_nothing_to_tell_of() -> None:
    hosts = [FakeHost("h1"), FakeHost("h2")]
    now = wired(*hosts)
    hosts[0].program = text_for(now)
    assert list(stale(now, ["h1", "h2"])) == []


def test_what_was_installed_with_other_settings_is_told_of() -> None:
    host = FakeHost("h1")
    host.program = text_for(wired(host))
    (told,) = stale(wired(host, units=["another"]), ["h1"])
    assert told == (
        "h1: the program installed there has other settings than rollback.toml has now: run `rollback-ops install prod`"
    )


def test_a_host_that_could_not_be_reached_is_not_tried_again() -> None:
    host = FakeHost("h1", before={"stamp": raising(AuthenticationFailed("no"))})
    assert list(stale(wired(host), [])) == []
    assert host.did("stamp") == []
    assert list(stale(wired(host), ["h1"])) == []


def test_the_text_is_the_same_for_everyone_and_for_an_emergency() -> None:
    now = wired(FakeHost())
    assert text_for(now) == text_for(replace(now, request=replace(now.request, emergency=True)))


def test_it_fits_into_one_command_with_room_for_the_settings() -> None:
    assert len(bundle.command(text_for(wired(FakeHost())), "install")) < 100_000
