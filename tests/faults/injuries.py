"""The faults: what each does to a running rollback, and how it is undone before the rollback is judged.

Each is a function that injects its fault, yields until the rollback has ended, and then undoes the fault.
Only the clock of the host is set, and nothing on this machine is changed.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from tests.faults.gates import BOUNDARIES, WITHOUT_WORKER
from tests.faults.scene import NEW, TARGET, Running, Scene, wait_for
from tests.support.waiting import kill, kill_for_good, worker

Fault = Callable[[Scene, Running], Iterator[None]]

# What the GitHub runner leaves a step after each of its signals (seconds), before the next one or the end.
_STEPS = ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5))
_OUTAGE = 2.0


def runner_killed(scene: Scene, running: Running) -> Iterator[None]:
    running.process.kill()
    running.process.wait()
    yield


def cancelled(scene: Scene, running: Running) -> Iterator[None]:
    scene.go()
    _leave(running)
    yield


def cancelled_while_it_hangs(scene: Scene, running: Running) -> Iterator[None]:
    """The host stands still until the runner is gone."""
    _leave(running)
    yield


def _leave(running: Running) -> None:
    """Cancel the command as the GitHub runner cancels a step."""
    for number, seconds in _STEPS:
        running.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(seconds)
            return
    running.process.kill()
    running.process.wait()


def network_cut(scene: Scene, running: Running) -> Iterator[None]:
    scene.host.cut_network()
    yield
    scene.host.restore_network()


def network_cut_and_restored(scene: Scene, running: Running) -> Iterator[None]:
    scene.host.cut_network()
    scene.go()
    wait_for(lambda: running.process.poll() is not None, _OUTAGE)
    scene.host.restore_network()
    yield


def sshd_restarted(scene: Scene, running: Running) -> Iterator[None]:
    scene.host.run("systemctl restart ssh")
    kill(scene.host, f"^sshd: {scene.service.plan.owner}")
    yield


def worker_killed(scene: Scene, running: Running) -> Iterator[None]:
    kill(scene.host, worker(scene.service))
    yield


def all_killed(scene: Scene, running: Running) -> Iterator[None]:
    """Kill the worker, and also what would finish its work."""
    kill_for_good(scene.service)
    yield


def power_cycled(scene: Scene, running: Running) -> Iterator[None]:
    scene.host.power_off()
    scene.host.power_on()
    yield


def disk_filled(scene: Scene, running: Running) -> Iterator[None]:
    """Fill the disk, and take every block that becomes free."""
    fill = "while :; do cat /dev/zero >>/srv/filling; sleep 0.01; done 2>/dev/null"
    scene.host.run(f"setsid sh -c '{fill}' >/dev/null 2>&1 </dev/null & echo $! >/run/filling")
    wait_for(lambda: scene.host.run("df --output=avail /srv").stdout.split()[1] == "0", 10)
    yield
    scene.host.run("pkill -KILL -s $(cat /run/filling); rm -f /srv/filling")


def made_read_only(scene: Scene, running: Running) -> Iterator[None]:
    """Mount a read-only file system over it: a plain remount is refused while files are open for writing."""
    scene.host.run("mount --bind /srv /srv && mount -o remount,bind,ro /srv")
    yield
    scene.host.run("umount --lazy /srv")


def clock_set_back(scene: Scene, running: Running) -> Iterator[None]:
    scene.gates.set_clock_back()
    yield


def target_removed(scene: Scene, running: Running) -> Iterator[None]:
    scene.host.run(f"rm -rf {scene.release(TARGET)}")
    yield


def target_emptied(scene: Scene, running: Running) -> Iterator[None]:
    """Replace the target by an empty directory of the same name."""
    target = scene.release(TARGET)
    scene.host.run(f"mv -T {target} {scene.root}/away && mkdir {target}")
    yield


def release_added(scene: Scene, running: Running) -> Iterator[None]:
    scene.host.run(_new_release(scene))
    yield


def target_unhealthy(scene: Scene, running: Running) -> Iterator[None]:
    """The target is not what it was when it was chosen: the rollback goes back to where it started."""
    scene.host.run(f"echo unhealthy >{scene.release(TARGET)}/behaviour")
    yield


def socket_activated(scene: Scene, running: Running) -> Iterator[None]:
    """A connection to the service's socket starts it again in the middle: the release that is being left, mostly."""
    unit = scene.service.units[0]
    scene.host.run(f"echo | timeout 1 bash -c 'cat >/dev/tcp/127.0.0.1/{scene.service.port + 5}'", check=False)
    wait_for(lambda: scene.host.run(f"systemctl is-active {unit}", check=False).returncode == 0, 5)
    yield
    scene.host.run(f"systemctl stop {unit}.socket && rm /etc/systemd/system/{unit}.socket")


def second_rollback(scene: Scene, running: Running) -> Iterator[None]:
    scene.others.append(second := scene.begin("second"))
    wait_for(lambda: second.process.poll() is not None, 6)
    yield


def second_emergency(scene: Scene, running: Running) -> Iterator[None]:
    scene.others.append(second := scene.begin("second", "--emergency"))
    wait_for(lambda: second.process.poll() is not None, 12)
    yield


def deployed_meanwhile(scene: Scene, running: Running) -> Iterator[None]:
    """A deployment makes another release live, and restarts the service, as if nobody else were there."""
    root, units = scene.root, " ".join(scene.service.units)
    switch = f"ln -s {scene.release(NEW)} {root}/next && mv -T {root}/next {root}/current"
    scene.host.run(f"{_new_release(scene)} && {switch} && systemctl restart {units}")
    yield


def emergency_in_window(scene: Scene, running: Running) -> Iterator[None]:
    """The target is unhealthy, and before that is certain somebody goes on to another release."""
    yield from second_emergency(scene, running)


def deployed_in_window(scene: Scene, running: Running) -> Iterator[None]:
    """The target is unhealthy, and before that is certain a deployment puts a new release in its place."""
    yield from deployed_meanwhile(scene, running)


def _new_release(scene: Scene) -> str:
    new, owner = scene.release(NEW), scene.service.plan.owner
    return f"cp -a {scene.release('b1')} {new}.part && chown -R {owner}: {new}.part && mv -T {new}.part {new}"


FAULTS: Mapping[str, Fault] = {
    "runner-killed": runner_killed,
    "cancelled": cancelled,
    "cancelled-while-it-hangs": cancelled_while_it_hangs,
    "network-cut": network_cut,
    "network-cut-and-restored": network_cut_and_restored,
    "sshd-restarted": sshd_restarted,
    "worker-killed": worker_killed,
    "all-killed": all_killed,
    "power-cycled": power_cycled,
    "disk-filled": disk_filled,
    "made-read-only": made_read_only,
    "clock-set-back": clock_set_back,
    "target-removed": target_removed,
    "target-emptied": target_emptied,
    "release-added": release_added,
    "target-unhealthy": target_unhealthy,
    "socket-activated": socket_activated,
    "second-rollback": second_rollback,
    "second-emergency": second_emergency,
    "deployed-meanwhile": deployed_meanwhile,
    "emergency-in-window": emergency_in_window,
    "deployed-in-window": deployed_in_window,
}
# The target is unhealthy when it is started, and the verification leaves time for something to happen.
IN_WINDOW = frozenset({"emergency-in-window", "deployed-in-window"})
# The rollback goes back to where it started when the target is unhealthy.
RESTORING = IN_WINDOW | {"target-unhealthy"}
AT_RANDOM = "random"
_NEEDING_WORKER = frozenset({"worker-killed", "all-killed"})
# What is done to the release that runs when all is over is done to the service, and not to the rollback.
_BEFORE_THE_END = frozenset({"target-removed", "target-emptied", "target-unhealthy"})
# While the service is down.
_DOWN = frozenset({"switch", "links", "start"})
_OVER = frozenset(list(BOUNDARIES)[list(BOUNDARIES).index("start") + 1 :]) | {AT_RANDOM}


def strikes(fault: str, boundary: str) -> bool:
    """Return whether the fault can reach the rollback at this boundary."""
    if fault == "socket-activated":
        return boundary in _DOWN
    if fault in IN_WINDOW:
        return boundary == "verify"
    if fault in _NEEDING_WORKER:
        return boundary not in WITHOUT_WORKER
    return boundary not in _OVER if fault in _BEFORE_THE_END else True


def matrix() -> list[tuple[str, str]]:
    """Return every fault at every boundary, and at random instants."""
    return [(fault, where) for fault in FAULTS for where in (*BOUNDARIES, AT_RANDOM) if strikes(fault, where)]
