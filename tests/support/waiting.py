"""Moments in the middle of a rollback: how they are made long, waited for, and spoilt."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.scene import WHY
from tests.support.warm import Process

Deploy = Callable[..., Deployed]

# Steps of a unit, by systemd's own name for being at them (SubState).
# stop: it still answers · stop-post: it is down, current is as it was · start-pre: current is switched.
_STEPS = {"stop": "ExecStop", "stop-post": "ExecStopPost", "start-pre": "ExecStartPre"}
MOMENTS = tuple(_STEPS)
# What a record tells of a rollback that went well, after it had found its target.
STEPS = ("stop", "switch", "links", "start", "verify")


# For as long as the first rollback of the service is open and nobody says "go" (or a minute is over).
_LINGER = """
read a </srv/%p/.rollback/%p@prod/open || exit 0
[ -e /srv/%p/first ] || echo "$$a" >/srv/%p/first
read a </srv/%p/first
for n in $$(seq 1200); do
[ -e /srv/%p/go ] && exit 0; read b </srv/%p/.rollback/%p@prod/open; [ "$$a" = "$$b" ] || exit 0; sleep 0.05
done
"""


def lingering(moment: str) -> list[str]:
    """Options for a unit that stays at ``moment`` in its first rollback, until it is told to ``go_on``."""
    script = "; ".join(_LINGER.strip().splitlines()).replace("do;", "do")
    return [f"{_STEPS[moment]}=-/bin/sh -c '{script}'"]


def go_on(service: Deployed) -> None:
    service.host.run(f"touch {service.root}/go")


@dataclass
class Running:
    """A command that is under way."""

    process: Process

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """As a runner that is lost ends it: without a word."""
        self.process.kill()
        self.process.communicate()

    def end(self, within: float) -> Ended:
        """Wait for the end, and return it. Fails the test after ``within`` seconds."""
        try:
            out, err = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the command did not end within {within} s") from None
        assert "Traceback" not in err, err
        return Ended(self.process.returncode, out, err)


def hear(running: Running, word: str) -> None:
    """Wait until the command says that this part of the story begins."""
    assert running.process.stderr is not None
    for line in running.process.stderr:
        if line.startswith(f"▸ {word}"):
            return
    raise AssertionError(f"it never said {word}")


def begin(rollback_ops: RollbackOps, *arguments: str) -> Running:
    return Running(rollback_ops.start("rollback", "prod", *WHY, "--json", *arguments))


def begin_and_reach(rollback_ops: RollbackOps, service: Deployed, moment: str) -> Running:
    """A rollback that is just at ``moment``."""
    running = begin(rollback_ops)
    reach(running, service, moment)
    return running


def reach(running: Running, service: Deployed, moment: str) -> None:
    """Wait until the service is at ``moment`` of the rollback that goes on."""
    ask = f"systemctl show -p SubState --value {service.units[0]}"

    def is_there() -> bool:
        assert running.process.poll() is None, running.end(within=1)
        return service.host.run(ask).stdout.strip() == moment

    wait_until(is_there, 60, f"{service.name} being at {moment}")


def processes(host: LabHost, pattern: str) -> list[str]:
    """The numbers of the processes on the host whose command line matches."""
    return host.run(f"exec pgrep -f -- '{pattern}'", check=False).stdout.split()


def kill(host: LabHost, pattern: str) -> None:
    """End them without a word."""
    if found := processes(host, pattern):
        host.run(f"kill -KILL {' '.join(found)}", check=False)


def worker(service: Deployed) -> str:
    """The pattern of what carries a transaction out, without the shell that supervises it."""
    return f"{service.state}/runs/[^ ]*/program worker"


def transient_units(service: Deployed) -> str:
    """The units of systemd that the runs of the service have. The host is shared: others have theirs there, too."""
    runs = f"{service.state}/runs/*"
    return service.host.run(
        f"for run in {runs}; do systemctl list-units --all --no-legend rollback-ops-${{run##*/}}.*; done"
    ).stdout


def kill_for_good(service: Deployed) -> None:
    """End what carries a transaction out, and all that would finish it."""
    pattern = f"{service.state}/runs/"

    def are_gone() -> bool:
        kill(service.host, pattern)
        # systemd may be about to start what finishes a unit that was killed.
        return not processes(service.host, pattern) and not transient_units(service)

    wait_until(are_gone, 60, f"the end of all that works on {service.name}")


def seen(rollback_ops: RollbackOps) -> dict[str, Any]:
    """The first host, from ``list``."""
    ended = rollback_ops("list", "prod", "--json")
    assert ended.code == 0, ended.err
    host: dict[str, Any] = ended.document["hosts"][0]
    return host


def history(rollback_ops: RollbackOps) -> list[dict[str, Any]]:
    """The records that ``history list`` tells of, newest first."""
    ended = rollback_ops("history", "list", "--json")
    assert ended.code == 0, ended.err
    records: list[dict[str, Any]] = ended.document["records"]
    return records


def lease(service: Deployed) -> str:
    """The line of the lease on the host; empty when nobody holds one."""
    return service.host.run(f"cat {service.state}/lease", check=False).stdout


def is_open(service: Deployed) -> bool:
    """Whether a transaction was begun on the host and not brought to its end."""
    return service.host.run(f"test -e {service.state}/open", check=False).returncode == 0


def wait_for_end(service: Deployed) -> None:
    """Until the host has finished what it began, and the service answers again."""
    wait_until(lambda: not is_open(service), 60, f"the end of the transaction of {service.name}")
    wait_until(service.listens, 60, f"{service.name} answering")


def wait_for_lease(rollback_ops: RollbackOps) -> None:
    """Until nobody holds the first host any more: what the dead held is free in 10 seconds."""
    held = seen(rollback_ops)["lease"]
    left = held["expires_in"] if held else 0
    assert left <= 10
    wait_until(lambda: seen(rollback_ops)["lease"] is None, left + 10, "the end of the lease", interval=1)
