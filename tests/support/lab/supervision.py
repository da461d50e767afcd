"""How a deployed service is kept running: its unit files (or the like), and the words that start and stop it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.lab.plan import Plan


@dataclass(frozen=True)
class Supervision:
    """Shell command lines, and what has to be on the disk before ``start``. ``uid`` owns it."""

    prepare: str
    start: str
    stop: str
    running: str
    remove: str
    files: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)
    uid: int = 0


def systemd(plan: Plan) -> Supervision:
    """Units of the machine's own systemd. One that it has never seen needs no daemon-reload."""
    directory, user = "/etc/systemd/system", f"User={plan.owner}"
    return _units(plan, "systemctl", ":", directory=directory, target="multi-user.target", user=user, uid=0)


def systemd_user(plan: Plan) -> Supervision:
    """Units of the owner's own systemd, which lingers: it runs without a login."""
    systemctl = f"runuser -u {plan.owner} -- env XDG_RUNTIME_DIR=/run/user/{plan.uid} systemctl --user"
    home = "/root" if plan.owner == "root" else f"/home/{plan.owner}"
    directory, linger = (
        f"{home}/.config/systemd/user",
        f"loginctl enable-linger {plan.owner} && systemctl start user@{plan.uid}",
    )
    prepare = f"runuser -u {plan.owner} -- mkdir -p {directory}/default.target.wants; {linger}"
    return _units(plan, systemctl, prepare, directory=directory, target="default.target", user="", uid=plan.uid)


def _units(
    plan: Plan, systemctl: str, prepare: str, *, directory: str, target: str, user: str, uid: int
) -> Supervision:
    files, links = {}, {}
    for unit, program in plan.programs.items():
        section = ["[Service]", f"WorkingDirectory={plan.root}/current", f"ExecStart={program}", user, *plan.options]
        files[f"{directory}/{unit}.service"] = "\n".join([*section, "[Install]", f"WantedBy={target}", ""])
        links[f"{directory}/{target}.wants/{unit}.service"] = f"{directory}/{unit}.service"
    units = shlex.join(plan.programs)
    remove = [f"{systemctl} {verb} {units}" for verb in ("kill -s KILL", "stop", "reset-failed")]
    return Supervision(
        prepare=prepare,
        start=f"{systemctl} start {units}",
        stop=f"{systemctl} stop {units}",
        # Asked one by one: is-active is content with one of several.
        running=" && ".join(f"{systemctl} is-active -q {unit}" for unit in plan.programs),
        remove="; ".join([*remove, f"rm {shlex.join([*files, *links])}"]),
        files=files,
        links=links,
        uid=uid,
    )


def supervisor(plan: Plan) -> Supervision:
    """Programs of supervisord, which is started on the first occasion."""
    files = {}
    for unit, program in plan.programs.items():
        section = [f"[program:{unit}]", f"command={program}", f"directory={plan.root}/current", f"user={plan.owner}"]
        files[f"/etc/supervisor/conf.d/{unit}.conf"] = "\n".join([*section, *plan.options, ""])
    units = shlex.join(plan.programs)
    return Supervision(
        prepare="systemctl start supervisor.service; until [ -S /run/supervisor.sock ]; do sleep 0.02; done",
        # The first update starts them itself; "already started" is then an error that is none.
        start=f"supervisorctl update {units} && {{ supervisorctl start {units} || :; }}",
        stop=f"supervisorctl stop {units}",
        running=f"supervisorctl status {units}",
        # What is killed while it is being stopped is not started again. The pattern does not match the shell with it.
        remove=f"rm {shlex.join(files)}; supervisorctl update & while kill -0 $! 2>/dev/null; do"
        f" pkill -KILL -f '{plan.root}/current/service[.]py'; sleep 0.1; done",
        files=files,
    )


SUPERVISIONS: dict[str, Callable[[Plan], Supervision]] = {
    "systemd": systemd,
    "systemd-user": systemd_user,
    "supervisor": supervisor,
}
