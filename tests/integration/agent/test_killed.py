"""A worker that was killed: what the next one still does before it calls the rollback finished."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import bundle
from tests.support.agent_sandbox import RUN, Sandbox
from tests.support.lab.ground import wait_until

# To write the end of a transaction to the disk takes a long time. The beginning, with the open transaction, does not.
SLOW_SYNC = """#!/bin/sh
case $* in */open) exit ;; esac
: >"{hangs}"
exec sleep 600
"""


def killed_after_its_start(sandbox: Sandbox, dependents: str) -> None:
    """Leave what a worker leaves that was killed right after the target had started."""
    place = sandbox.state / "runs" / RUN
    place.mkdir(parents=True)
    source = str(sandbox.releases / "r3")
    (place / "order").write_text("\n".join(["r2", source, "no", "tester", "", "yes", "yes", "yes", ""]))
    (place / "around").write_text(f"{dependents}\n\n\n")
    for name in ("intent", "begun", "progress", "started"):
        (place / name).touch()
    (sandbox.state / "open").write_text(f"{RUN}\tr2\t{source}\n")
    sandbox.current.unlink()
    sandbox.current.symlink_to(sandbox.releases / "r2")
    (sandbox.root / "running").write_text("r2\n")


def test_units_that_were_stopped_with_the_service_are_started_by_the_next_worker(tmp_path: Path, shell: str) -> None:
    sandbox = Sandbox(tmp_path, shell)
    killed_after_its_start(sandbox, " worker.service mailer.service")
    manager = replace(managers.build(sandbox.service, "rosey"), revive='echo >>"$ROLLBACK_ROOT/revived"')
    done = sandbox.execute("aftermath", RUN, text=bundle.render(sandbox.about, sandbox.service, manager))
    assert done.returncode == 0, done.stderr
    assert (sandbox.root / "revived").read_text().split() == ["worker.service", "mailer.service"]
    steps = [line["step"] for line in sandbox.journal() if line["event"] == "step"]
    assert (steps, sandbox.journal()[-1]["outcome"]) == (["dependents"], "switched")


def test_an_emergency_takes_the_lock_of_a_worker_that_cannot_write_its_end(tmp_path: Path, shell: str) -> None:
    sandbox, slow, hangs = Sandbox(tmp_path, shell), tmp_path / "slow", tmp_path / "hangs"
    slow.mkdir()
    (slow / "sync").write_text(SLOW_SYNC.format(hangs=hangs))
    (slow / "sync").chmod(0o755)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(sandbox.host_with(f"{slow}:{sandbox.path}").switch, sandbox.order(), lambda _: None)
        wait_until(hangs.exists, 60, "the end of the first transaction")
        order = sandbox.order("r1", run="another-run", source=str(sandbox.releases / "r2"), break_lock=True)
        second = sandbox.host.switch(order, lambda _: None)
        assert (second.outcome, sandbox.running()) == ("switched", "r1"), second.reason
        assert first.result(60).outcome != "switched"
    assert (sandbox.state / "lease").read_text().startswith("another-run\t")


def test_a_worker_that_was_killed_while_it_wrote_its_end_is_followed_by_another_one(tmp_path: Path, shell: str) -> None:
    sandbox = Sandbox(tmp_path, shell)
    place, killed = tmp_path / "killing", tmp_path / "killed"
    place.mkdir()
    (place / "sync").write_text(
        f'#!/bin/sh\n[ -e {killed} ] || case $* in */open) ;; *) : >{killed}; kill -KILL "$PPID" ;; esac'
    )
    (place / "sync").chmod(0o755)
    result = sandbox.host_with(f"{place}:{sandbox.path}").switch(sandbox.order(), lambda _: None)
    assert (result.outcome, (sandbox.state / "open").exists(), killed.exists()) == ("switched", False, True)
    assert (sandbox.state / "runs" / RUN / "ended").exists()
