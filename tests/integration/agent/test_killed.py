"""A worker that was killed: what the next one still does before it calls the rollback finished."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import bundle
from tests.support.agent_sandbox import RUN, Sandbox


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
