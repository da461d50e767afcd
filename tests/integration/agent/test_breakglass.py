"""The installed program as a person on the server runs it: under the shells that hosts have, without Python's help."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import HeldRelease, Hold
from rollback_ops.core.record import PlanRef, Record
from rollback_ops.core.rollout import Rollout
from rollback_ops.core.stored_plan import StoredPlan
from rollback_ops.hosts.agent import installed
from tests.support.agent_sandbox import COMMANDS, GOOD, RUN
from tests.support.breakglass_sandbox import Standalone, text_of
from tests.support.http_server import answer, serving
from tests.support.lab.ground import wait_until
from tests.support.records import record
from tests.support.scene import PATIENT

WHY = ("--reason", "logins fail since the deploy")
PORT_OF_NOBODY = 9


both_shells = pytest.mark.parametrize("shell", ["dash", "busybox"], indirect=True)


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Standalone:
    return Standalone(tmp_path, shell)


def record_of(sandbox: Standalone) -> Record:
    """The newest record in the journal, as `history list` reads it."""
    records, unreadable = read_journal((sandbox.store / "journal.jsonl").read_text().splitlines())
    assert unreadable == 0
    return records[0]


def marks(sandbox: Standalone) -> set[str]:
    return {path.name for path in (sandbox.state / "marks").glob("*")}


def mark_good(sandbox: Standalone, release: str) -> None:
    sandbox.host.record("20240101T000000Z-00000009", {release: GOOD}, "")


def check(name: str, run: str, **more: Any) -> dict[str, Any]:
    return {"checks": {name: {"kind": "command", "run": run, **more}}}


# --- the file --------------------------------------------------------------------------------------------


def test_it_is_put_there_once_for_its_owner_alone_and_replaced_when_it_differs(sandbox: Standalone) -> None:
    inode = sandbox.program.stat().st_ino
    assert sandbox.program.stat().st_mode & 0o777 == 0o700
    assert sandbox.host.install(text_of(sandbox)) == "unchanged"
    assert sandbox.program.stat().st_ino == inode
    sandbox.program.write_text("#!/bin/sh\nrm -rf something\n")
    assert sandbox.host.install(text_of(sandbox)) == "replaced"
    assert sandbox.program.read_text().rstrip("\n") == text_of(sandbox).rstrip("\n")
    assert not list(sandbox.store.glob("*.new"))


def test_a_link_in_its_place_is_replaced_and_what_it_leads_to_is_left_alone(
    sandbox: Standalone, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    sandbox.program.unlink()
    sandbox.program.symlink_to(other)
    sandbox.host.install(text_of(sandbox))
    assert (other.read_text(), sandbox.program.is_symlink()) == ("precious", False)


def test_a_copy_that_was_cut_does_nothing_at_all(sandbox: Standalone) -> None:
    whole = sandbox.program.read_text().rstrip("\n")
    before = [line for line in sandbox.listing() if "/.rollback" not in line[0]]
    for cut in [*range(0, len(whole), 4000), len(whole) - 3]:
        sandbox.program.write_text(whole[:cut])
        assert sandbox.break_glass("--emergency").stdout == "", cut
    assert [line for line in sandbox.listing() if "/.rollback" not in line[0]] == before


def test_its_stamp_tells_whether_the_program_or_its_settings_are_others(sandbox: Standalone, tmp_path: Path) -> None:
    text = text_of(sandbox)
    stamp = sandbox.host.stamp()
    assert installed.difference(stamp, text) == ""
    assert installed.difference("", text) == ""
    assert "settings" in installed.difference(re.sub("settings .*", "settings 000000000000", stamp), text)
    assert "build" in installed.difference(re.sub("program [0-9a-f]*", "program 000000000000", stamp), text)
    older = re.sub(r"ops \S+, program [0-9a-f]*", "ops 0.0.1, program 000000000000", stamp)
    assert "of version 0.0.1" in installed.difference(older, text)
    assert "damaged" in installed.difference("rm -rf", text)


# --- a rollback ------------------------------------------------------------------------------------------


@both_shells
def test_a_break_glass_rollback_ends_on_the_same_record_as_any_other(sandbox: Standalone) -> None:
    (sandbox.releases / "r2" / "REVISION").write_text("5c6a1f\n")
    reason = """it's "broken" \\ $(touch canary) `id` — ünwell 🦄"""

    ended = sandbox.break_glass("--reason", reason)

    assert ended.returncode == 0, ended.stderr
    assert sandbox.running() == "r2"
    assert sandbox.current.readlink() == sandbox.releases / "r2"
    record = record_of(sandbox)
    assert (record.outcome, record.exit_code, record.mode, record.trigger) == ("succeeded", 0, "standard", "manual")
    assert (record.reason, record.service, record.environment) == (reason, "rosey", "prod")
    assert (record.from_.release, record.to.release, record.to.revision) == ("r3", "r2", "5c6a1f")
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", record.id)
    (host,) = record.hosts
    assert [step.name for step in host.steps] == ["find", "stop", "switch", "start", "verify"]
    assert [(c.name, c.outcome) for c in host.checks] == [("process", "passed")]
    assert [(r.release, r.why) for r in record.rejected] == [("r3", "it is the live one")]
    assert host.downtime_seconds is not None
    assert marks(sandbox) == {"r3.left", "r2.good"}
    assert (sandbox.state / "lease").read_text() == ""
    assert ended.stdout.startswith("✓ rolled back: r3 → r2  (prod, ")
    assert "  not r3:" not in ended.stdout
    assert [line.split(":")[0] for line in ended.stderr.splitlines() if line.startswith("▸")] == [
        "▸ survey",
        "▸ plan",
        "▸ switch",
        "▸ verify",
    ]


def test_a_second_rollback_goes_further_back_and_never_to_what_was_left(sandbox: Standalone) -> None:
    assert sandbox.break_glass(*WHY).returncode == 0
    assert sandbox.break_glass(*WHY).returncode == 0
    assert sandbox.running() == "r1"
    third = sandbox.break_glass(*WHY)
    assert (third.returncode, sandbox.running()) == (1, "r1")
    assert "no eligible release" in third.stdout


def test_an_emergency_asks_nothing_and_says_what_it_left_out(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, shell, **check("never", "touch $ROLLBACK_ROOT/asked; exit 1"))
    ended = sandbox.break_glass("--emergency")
    assert (ended.returncode, sandbox.running()) == (0, "r2")
    record = record_of(sandbox)
    assert (record.mode, record.reason) == ("emergency", "emergency: no reason was given")
    assert {c.outcome for c in record.hosts[0].checks} == {"skipped"}
    assert "verification was skipped" in record.warnings[-1]
    assert not (sandbox.root / "asked").exists()
    assert marks(sandbox) == {"r3.left"}


@pytest.mark.parametrize("option", ["--backup", "--to"])
def test_a_release_that_is_named_is_where_it_goes(sandbox: Standalone, option: str) -> None:
    assert sandbox.break_glass(option, "r1", *WHY).returncode == 0
    assert (sandbox.running(), record_of(sandbox).mode) == ("r1", "targeted")


@pytest.mark.parametrize("name", ["../r1", "r1/../r2", ";touch canary", "$(touch canary)", "r9", "*", "r1\nr2", "-rf"])
def test_a_name_that_is_none_of_the_releases_is_refused(sandbox: Standalone, name: str) -> None:
    before = sandbox.listing()
    ended = sandbox.break_glass(f"--backup={name}", *WHY)
    assert ended.returncode == 1
    assert "is none of the releases" in ended.stdout
    assert sandbox.listing() == before


def test_a_check_says_why_not_every_other_release_and_a_rollback_names_three(sandbox: Standalone) -> None:
    for name in ("r4", "r5", "r6"):
        sandbox.release(name)
    whys = [f"not r{n}: it is newer than the live one" for n in (6, 5, 4)]
    checked, done = (sandbox.break_glass(*options).stdout for options in (("--check",), WHY))
    assert [why in checked for why in (*whys, "not r3: it is the live one")] == [True] * 4
    assert [why in done for why in whys] == [True] * 3


def test_it_acts_only_where_the_release_is_live_that_it_is_meant_for(sandbox: Standalone) -> None:
    ended = sandbox.break_glass("--if-current", "r2", *WHY)
    assert (ended.returncode, sandbox.running()) == (0, "r3")
    assert "nothing to do: r2 is no longer live (live: r3)" in ended.stdout
    assert sandbox.break_glass("--if-current=r3", *WHY).returncode == 0
    assert sandbox.running() == "r2"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--list", "→  r2"),
        ("--check", "✓ a rollback can be done: r3 → r2"),
        ("--dry-run", "DRY RUN, nothing was changed. A rollback would go: r3 → r2"),
        ("--help", "--emergency"),
    ],
)
def test_what_only_looks_changes_nothing_and_needs_no_reason(sandbox: Standalone, option: str, said: str) -> None:
    before = sandbox.listing()
    ended = sandbox.break_glass(option)
    assert ended.returncode == 0
    assert said in ended.stdout
    assert sandbox.listing() == before


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--reason", ""),
        ("--reason", "  "),
        ("--reason", "ab"),
        ("--reason", "two\nlines"),
        ("--reason", "a\tb c"),
        ("--reason", "x" * 1001),
        ("--reason",),
        ("--backup",),
        ("--nonsense",),
        ("prod",),
        ("--worker",),
        ("survey", "no"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_looked_at(sandbox: Standalone, options: tuple[str, ...]) -> None:
    before = sandbox.listing()
    ended = sandbox.break_glass(*options)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert ended.stderr.startswith("error: ")
    assert sandbox.listing() == before


def test_on_a_terminal_it_asks_for_the_reason(sandbox: Standalone) -> None:
    ended = sandbox.break_glass(typed="the shop is down\n")
    assert ended.returncode == 0
    assert ended.stderr.startswith("Why? ")
    assert record_of(sandbox).reason == "the shop is down"


# --- when it does not go well ----------------------------------------------------------------------------


def test_1_a_check_before_the_stop_that_says_no_leaves_everything_as_it_is(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(
        tmp_path, shell, **check("config", "echo no token in $(basename $PWD); exit 3", phase="before")
    )
    before = sandbox.listing()
    ended = sandbox.break_glass(*WHY)
    assert ended.returncode == 1
    assert "the check config says that r2 would not work: exit status 3: no token in r2" in ended.stdout
    assert sandbox.listing() == before


def test_a_sealed_release_that_was_changed_is_passed_over(sandbox: Standalone) -> None:
    assert sandbox.host.seal("r2") == 1
    (sandbox.releases / "r2" / "app").write_text("changed")
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, sandbox.running()) == (0, "r1")
    why = {r.release: r.why for r in record_of(sandbox).rejected}["r2"]
    assert why.startswith("its files are not the sealed ones")


def test_2_a_check_that_fails_is_a_verification_that_failed(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, shell, verify=PATIENT, **check("health", "echo no {release}; false", fail_fast=True))
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, sandbox.running()) == (2, "r2")
    record = record_of(sandbox)
    assert record.outcome == "verification_failed"
    assert {c.name: (c.outcome, c.detail) for c in record.hosts[0].checks} == {
        "process": ("passed", "it runs"),
        "health": ("failed", "exit status 1: no r2"),
    }
    assert marks(sandbox) == {"r3.left", "r2.bad"}


@both_shells
def test_no_secret_that_a_check_or_a_person_let_out_is_remembered(shell: str, tmp_path: Path) -> None:
    said = "DB_PASSWORD=hunter2-a 'api_key': 'hunter2-b' https://u:hunter2-c@db/ Bearer hunter2-d ghp_hunter2hunter2"
    says = check("health", f'echo "{said}"; false', fail_fast=True)
    sandbox = Standalone(tmp_path, shell, verify=PATIENT, **says)
    ended = sandbox.break_glass("--reason", "the token: hunter2-e is out")
    assert ended.returncode == 2
    text = sandbox.store.joinpath("journal.jsonl").read_text()
    assert "hunter2" not in text + ended.stdout + ended.stderr
    assert "DB_PASSWORD=***" in text
    assert record_of(sandbox).reason == "the token: *** is out"


@pytest.mark.parametrize("options", [("--check",), ("--dry-run",), WHY])
def test_no_secret_from_a_refusing_check_is_shown(shell: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    sandbox = Standalone(tmp_path, shell, **check("config", "echo DB_PASSWORD=hunter2; exit 3", phase="before"))
    ended = sandbox.break_glass(*options)
    assert ended.returncode == 1
    assert "DB_PASSWORD=***" in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr


def test_no_secret_in_the_path_of_the_live_release_is_shown(sandbox: Standalone) -> None:
    sandbox.root.joinpath("current").unlink()
    sandbox.root.joinpath("current").symlink_to("/srv/DB_PASSWORD=hunter2")
    ended = sandbox.break_glass("--list")
    assert "DB_PASSWORD=***" in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr


@both_shells
def test_a_check_has_to_hold_for_the_whole_window(shell: str, tmp_path: Path) -> None:
    policy = {"min_healthy_time": "1s", "healthy_deadline": "60s", "failure_threshold": 1}
    fails_once = "n=$(cat $ROLLBACK_ROOT/n 2>/dev/null || echo 0); echo $((n + 1)) >$ROLLBACK_ROOT/n; test $n -ne 2"
    sandbox = Standalone(tmp_path, shell, verify=policy, **check("health", fails_once))
    assert sandbox.break_glass(*WHY).returncode == 0
    (host,) = record_of(sandbox).hosts
    assert {c.name: c.detail for c in host.checks} == {"process": "it runs", "health": ""}
    (verify,) = (s for s in host.steps if s.name == "verify")
    assert 1.2 < verify.seconds < 60


def test_3_a_service_that_cannot_be_stopped_is_put_back(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, shell, {"stop": "exit 1"})
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, sandbox.running()) == (3, "r3")
    assert record_of(sandbox).outcome == "restored"
    assert marks(sandbox) == set()


def test_4_a_target_that_does_not_start_calls_for_a_person(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, shell, {"start": "exit 1"})
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, record_of(sandbox).outcome) == (4, "failed")
    assert "r2 does not start" in ended.stdout
    assert "What to try first:" in ended.stderr
    assert "the log of r2" in ended.stderr
    assert marks(sandbox) == {"r3.left", "r2.bad"}


def test_4_a_target_that_dies_under_verification_is_down(shell: str, tmp_path: Path) -> None:
    policy = {"min_healthy_time": "30s", "healthy_deadline": "60s"}
    dies = {"start": f'{COMMANDS["start"]}; (sleep 0.6; rm "$ROLLBACK_ROOT/running") >/dev/null 2>&1 &'}
    ended = (sandbox := Standalone(tmp_path, shell, dies, verify=policy)).break_glass(*WHY)
    assert (ended.returncode, record_of(sandbox).outcome) == (4, "failed")


@contextmanager
def renewed(sandbox: Standalone) -> Iterator[None]:
    """Another run verifies: its questions keep its lease alive."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.05):
            sandbox.host.ask(RUN)

    owner = threading.Thread(target=ask)
    owner.start()
    try:
        yield
    finally:
        over.set()
        owner.join()


@both_shells
def test_a_lease_whose_owner_renews_it_is_respected_and_an_emergency_breaks_it(sandbox: Standalone) -> None:
    sandbox.switch(intent='{"event":"intent","id":"another"}')
    with renewed(sandbox):
        held = sandbox.break_glass(*WHY)
        assert (held.returncode, sandbox.running()) == (1, "r2")
        assert "locked by tester since " in held.stdout
        assert sandbox.break_glass("--emergency").returncode == 0
    assert sandbox.running() == "r1"
    (record,), _ = read_journal((sandbox.store / "journal.jsonl").read_text().splitlines())
    assert any("the lock is taken over" in warning for warning in record.warnings)


def test_a_deployment_under_way_holds_it_back_until_a_person_says_otherwise(sandbox: Standalone) -> None:
    (sandbox.root / "deploy.lock").touch()
    held = sandbox.break_glass(*WHY)
    assert (held.returncode, sandbox.running()) == (1, "r3")
    assert "deploy.lock" in held.stdout
    assert "deploy.lock" in sandbox.break_glass("--list").stdout
    assert sandbox.break_glass("--ignore-deploy-lock", *WHY).returncode == 0
    assert sandbox.running() == "r2"
    assert any("deploy.lock" in warning for warning in record_of(sandbox).warnings)


def test_a_rollback_in_waves_is_warned_of_as_long_as_it_has_no_record(sandbox: Standalone) -> None:
    waves = "20240101T000000Z-00000001"
    plan = StoredPlan(waves, "rosey", "prod", "", "r1", "", {"here": "r3"}, (), Rollout((), (), 0), {})
    others = record(id="another", service="rosey", schema_version=2, plan=PlanRef(id="another", hash="-"))
    sandbox.host.record(waves, {}, replace(plan, service="another").line())
    assert waves not in sandbox.break_glass("--check").stdout, "it is about another service"
    sandbox.host.record(waves, {}, plan.line())
    sandbox.host.record("another", {}, others.line())
    told = sandbox.break_glass("--check")
    assert (told.returncode, waves in told.stdout) == (0, True), told.stdout
    ended = record(id="resumed", service="rosey", schema_version=2, plan=PlanRef(id=waves, hash="-"))
    sandbox.host.record("resumed", {}, ended.line())
    assert waves not in sandbox.break_glass("--check").stdout


def test_a_service_of_a_group_is_changed_alone_and_that_is_said(sandbox: Standalone) -> None:
    assert "shop" not in sandbox.break_glass("--check").stdout
    sandbox.host.install(text_of(sandbox, groups=("shop",)))
    assert "shop" in sandbox.break_glass("--check").stdout
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, "shop" in ended.stdout) == (0, True)


def test_a_lease_that_nobody_renews_is_waited_for(sandbox: Standalone) -> None:
    sandbox.switch(intent='{"event":"intent","id":"another"}')
    assert sandbox.break_glass("--check").returncode == 1
    # It would be over after ten seconds.
    lease = sandbox.state / "lease"
    run, boot, _, rest = lease.read_text().split("\t", 3)
    soon = int(Path("/proc/uptime").read_text().split()[0].replace(".", "")) + 150
    lease.write_text("\t".join((run, boot, str(soon), rest)))
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, sandbox.running()) == (0, "r1")
    assert "▸ wait: locked by tester since " in ended.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_ends_it_when_the_host_has_finished(
    shell: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    waits = 'cd "$ROLLBACK_ROOT" && touch starting && until [ -e go ]; do sleep 0.05; done; cd "$ROLLBACK_CURRENT"'
    slow = {"start": f"{waits}; {COMMANDS['start']}"}
    sandbox = Standalone(tmp_path, shell, slow)
    process = sandbox.start(*WHY)
    wait_until((sandbox.root / "starting").exists, 60, "the start")
    # As a terminal does it: everything in the foreground gets it.
    os.killpg(process.pid, number)
    (sandbox.root / "go").touch()
    process.wait(timeout=30)
    process.communicate(timeout=30)
    assert (process.returncode, sandbox.running()) == (code, "r2")
    record = record_of(sandbox)
    assert (record.outcome, record.exit_code, record.hosts[0].outcome) == ("cancelled", code, "succeeded")


@pytest.mark.parametrize("number", [None, signal.SIGHUP])
def test_a_person_whose_connection_drops_still_has_it_on_the_record(
    shell: str, tmp_path: Path, number: signal.Signals | None
) -> None:
    waits = 'cd "$ROLLBACK_ROOT" && touch starting && until [ -e go ]; do sleep 0.05; done; cd "$ROLLBACK_CURRENT"'
    slow = {"start": f"{waits}; {COMMANDS['start']}"}
    sandbox = Standalone(tmp_path, shell, slow)
    with sandbox.start(*WHY) as process:
        wait_until((sandbox.root / "starting").exists, 60, "the start")
        for stream in (process.stdout, process.stderr):
            assert stream
            stream.close()
        if number:
            os.killpg(process.pid, number)
        (sandbox.root / "go").touch()
        assert (process.wait(30), sandbox.running()) == (0, "r2")
    record = record_of(sandbox)
    assert (record.outcome, [step.name for step in record.hosts[0].steps][-1]) == ("succeeded", "verify")
    assert marks(sandbox) == {"r3.left", "r2.good"}


def test_what_was_interrupted_is_taken_up(sandbox: Standalone) -> None:
    sandbox.state.mkdir(exist_ok=True)
    sandbox.state.joinpath("open").write_text(f"{RUN}\tr1\t{sandbox.releases / 'r3'}\n")
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, sandbox.running()) == (0, "r2")
    assert "an interrupted rollback to r1 is taken up" in ended.stdout
    assert not (sandbox.state / "open").exists()


# --- checks without Python -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, 0),
        ({"json": {"release": "{release}"}}, 0),
        ({"json": {"deep.count": 3}}, 0),
        ({"json": {"deep.count": 31}}, 2),
        ({"json": {"release": "r1"}}, 2),
        ({"text": "all is well"}, 0),
        ({"text": "all is bad"}, 2),
        ({"status": 201}, 2),
        ({"status": 201, "final": [200]}, 2),
        ({"headers": {"X-Asks": 'a "quoted" \\ one'}}, 0),
    ],
)
def test_an_http_check_is_asked_with_curl(tmp_path: Path, settings: dict[str, Any], code: int) -> None:
    body = b'{"release": "r2", "deep": {"count":  3}, "said": "all is well"}'
    with serving(answer(body)) as server:
        page = {"kind": "http", "url": f"http://127.0.0.1:{server.port}/{{release}}?a=[1]", "fail_fast": True}
        sandbox = Standalone(tmp_path, "dash", verify=PATIENT, checks={"page": {**page, **settings}})
        ended = sandbox.break_glass(*WHY)
    assert ended.returncode == code, ended.stderr


def test_what_this_host_has_no_tool_for_is_left_out_and_said(tmp_path: Path) -> None:
    checks = {
        "page": {"kind": "http", "url": f"http://127.0.0.1:{PORT_OF_NOBODY}/"},
        "outside": {"kind": "tcp", "address": f"127.0.0.1:{PORT_OF_NOBODY}", "from": "runner"},
    }
    sandbox = Standalone(tmp_path, "dash", checks=checks)
    sandbox.path = f"{sandbox.tools}:{tools_but(tmp_path, 'curl', 'wget')}"
    ended = sandbox.break_glass(*WHY)
    assert ended.returncode == 0, ended.stderr
    told = {c.name: (c.outcome, c.detail) for c in record_of(sandbox).hosts[0].checks}
    assert told["page"] == ("skipped", "this host has no curl")
    assert told["outside"] == ("skipped", "it is asked from the runner")
    assert all(name in record_of(sandbox).warnings[-1] for name in ("page", "outside"))
    # What was not asked has not passed.
    assert marks(sandbox) == {"r3.left"}


def tools_but(directory: Path, *missing: str) -> Path:
    """A directory with all the programs of this machine but some."""
    there = directory / "tools"
    there.mkdir()
    for path in (*Path("/usr/bin").iterdir(), *Path("/bin").iterdir()):
        if path.name not in missing and not (there / path.name).is_symlink():
            (there / path.name).symlink_to(path)
    return there


def test_the_worker_and_its_first_follower_may_make_the_bell_at_the_same_moment(tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, "dash")
    # Somebody is always a moment faster.
    mkfifo = sandbox.tools / "mkfifo"
    mkfifo.write_text('#!/bin/sh\nPATH=/usr/bin:/bin\nmkfifo "$@" 2>/dev/null\nexec mkfifo "$@"\n')
    mkfifo.chmod(0o755)
    ended = sandbox.break_glass(*WHY)
    assert (ended.returncode, "File exists" in ended.stderr + ended.stdout) == (0, False), ended


@pytest.mark.parametrize(("open_", "code"), [(True, 0), (False, 2)])
def test_a_tcp_check_knows_who_accepts(tmp_path: Path, open_: bool, code: int) -> None:
    with serving(b"") as server:
        address = f"127.0.0.1:{server.port if open_ else PORT_OF_NOBODY}"
        checks = {"db": {"kind": "tcp", "address": address, "fail_fast": True}}
        assert Standalone(tmp_path, "dash", verify=PATIENT, checks=checks).break_glass(*WHY).returncode == code


def test_a_critical_line_in_a_log_fails_the_verification(tmp_path: Path) -> None:
    checks = {"log": {"kind": "logs", "command": "echo CRITICAL the database is gone"}}
    sandbox = Standalone(tmp_path, "dash", checks=checks)
    assert sandbox.break_glass(*WHY).returncode == 2
    quiet = {"log": {"kind": "logs", "command": "echo all is well"}}
    (tmp_path / "two").mkdir()
    assert Standalone(tmp_path / "two", "dash", checks=quiet).break_glass(*WHY).returncode == 0


# --- JSON ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), min_size=1, max_size=12))
def test_any_text_without_control_characters_is_in_its_event_as_it_was(sandbox: Standalone, texts: list[str]) -> None:
    script = sandbox.root.parent / "event.sh"
    definitions = text_of(sandbox).removesuffix('break_glass "$@"\n')
    script.write_text(
        definitions + "run=r events=''; for text; do add_event test text \"$text\"; done; printf '%s' \"$events\""
    )
    words = [str(sandbox.tools / "sh"), str(script), *texts]
    done = subprocess.run(words, env={"PATH": sandbox.path}, capture_output=True, check=True, timeout=60)
    assert [json.loads(line)["text"] for line in done.stdout.decode().split("\n")] == texts


def test_a_release_that_was_left_keeps_the_mark_of_its_verification(sandbox: Standalone) -> None:
    mark_good(sandbox, "r3")
    assert sandbox.break_glass(*WHY).returncode == 0
    assert marks(sandbox) == {"r3.good", "r3.left", "r2.good"}
    left = sandbox.host.survey().release("r3")
    assert left is not None
    assert (left.mark, left.left_by, left.left_why) == ("good", record_of(sandbox).id, WHY[1])


@pytest.mark.parametrize("evidence", ["a person says so", "it did not run", "its status could not be read"])
def test_a_release_that_was_left_is_bad_with_evidence_only(tmp_path: Path, evidence: str) -> None:
    status = "exit 127" if evidence == "its status could not be read" else 'test -e "$ROLLBACK_ROOT/running"'
    sandbox = Standalone(tmp_path, "dash", {"status": status})
    if evidence == "it did not run":
        (sandbox.root / "running").unlink()
    sandbox.break_glass(*WHY, *(["--bad"] if evidence == "a person says so" else []))
    assert ("r3.bad" in marks(sandbox)) == (evidence != "its status could not be read")


def test_going_to_a_newer_release_says_nothing_about_the_one_that_is_left(sandbox: Standalone) -> None:
    sandbox.current.unlink()
    sandbox.current.symlink_to(sandbox.releases / "r1")
    assert sandbox.break_glass("--backup", "r3", *WHY).returncode == 0
    assert marks(sandbox) == {"r3.good"}


@pytest.mark.parametrize("option", ["--backup", "--reason", "--if-current"])
def test_an_option_that_is_given_twice_is_wrong_usage(sandbox: Standalone, option: str) -> None:
    ended = sandbox.break_glass(option, "one reason", option, "another")
    assert (ended.returncode, ended.stdout) == (64, "")
    assert option in ended.stderr


def test_two_spellings_of_the_target_are_one_option(sandbox: Standalone) -> None:
    assert sandbox.break_glass("--to", "r1", "--backup=r2", *WHY).returncode == 64


@pytest.mark.parametrize("what", ["a deployment", "another run"])
def test_what_somebody_else_took_over_during_the_verification_is_left_alone(
    tmp_path: Path, shell: str, what: str
) -> None:
    root = tmp_path / "service"
    lease = root / ".rollback" / "rosey@prod" / "lease"
    # The check itself takes the host over, when the target is live.
    takes_over = {
        "a deployment": f"ln -sfn {root}/releases/r1 {root}/current",
        "another run": f"""printf 'another\\t%s\\n' "$(cut -f 2- {lease})" >{lease}.new && mv {lease}.new {lease}""",
    }
    sandbox = Standalone(tmp_path, shell, checks={"odd": {"kind": "command", "run": takes_over[what]}})
    ended = sandbox.break_glass(*WHY)
    assert ended.returncode == 6, ended.stdout + ended.stderr
    record = record_of(sandbox)
    assert (record.outcome, record.exit_code, record.hosts[0].outcome) == ("superseded", 6, "superseded")
    assert record.hosts[0].to.release == ("r1" if what == "a deployment" else "r2")
    assert {release.mark for release in sandbox.host.survey().releases} == {""}


# --- what it warns of -------------------------------------------------------------------------------------------


def test_it_shows_the_holds_of_the_host_and_a_hold_stops_no_rollback(tmp_path: Path, shell: str) -> None:
    made = Standalone(tmp_path, shell)
    now = time.time()
    standing = Hold("run-1", "ana", 'the "price" job, until":9', now, now + 3600, (HeldRelease("r3", "abc"),))
    over = Hold("run-2", "bob", "it is over", now - 20, now - 10)
    lifted = replace(standing, id="run-3", reason="it was lifted", lifted_by="bob")
    made.host.write_holds((standing, over, lifted, replace(standing, id="run-4", releases=())))
    (made.state / "holds/run-5").write_text("damaged\n")
    for option in ("--list", "--check"):
        shown = made.break_glass(option)
        told = shown.stdout + shown.stderr
        assert shown.returncode == 0
        assert ("r3 is held (by ana" in told, 'the "price" job' in told, "everything is held" in told) == (True,) * 3
        assert ("cannot be read" in told, "it is over" in told, "it was lifted" in told) == (True, False, False)
    assert made.break_glass("--reason", "logins fail").returncode == 0


def test_it_warns_of_migrations_that_the_target_lacks_and_says_that_the_database_was_not_asked(
    tmp_path: Path, shell: str
) -> None:
    made = Standalone(tmp_path, shell, schema={"current": "echo {} {1} 7", "migrations": ["db/*.sql"]})
    for release, many in (("r2", 1), ("r3", 2)):
        (made.releases / release / "db").mkdir()
        for number in range(1, many + 1):
            (made.releases / release / f"db/{number}_x.sql").touch()
    checked = made.break_glass("--check")
    told, asks = checked.stdout + checked.stderr, "what this prints: echo {} {1} 7\n"
    assert (checked.returncode, "db/2_x.sql" in told, "db/1_x.sql" in told, asks in told) == (0, True, False, True)
    assert made.break_glass("--emergency").returncode == 0
    (record,), _ = read_journal(made.host.journal(), made.about)
    assert any("db/2_x.sql" in warning for warning in record.warnings)
