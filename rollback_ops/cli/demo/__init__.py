"""The demo: a whole rollback on this machine, in a sandbox, without a server or root. It leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import time
from functools import partial

from rollback_ops.cli.demo.sandbox import Sandbox
from rollback_ops.cli.demo.stage import Stage
from rollback_ops.core.errors import Exit, Refused

__all__ = ["run"]

_TOOLS = ("sh", "setsid", "flock", "timeout", "stat")
_RECORD = "record.json"
_FIELDS = ("id", "trigger", "outcome", "exit_code", "from", "to")


def run() -> int:
    """Run the demo. Raises ``Refused`` when it cannot run here or goes wrong, ``Cancelled`` when a signal comes."""
    from rollback_ops.cli.demo.sshd import LoopbackServer
    from rollback_ops.hosts.ssh.keys import load_key, new_key

    _require_tools()
    # The agent refuses releases that everybody may write to, also here.
    os.umask(0o022)
    began = time.monotonic()
    key = new_key()
    try:
        with Stage() as stage:
            with Sandbox() as sandbox, LoopbackServer(load_key(key)) as server:
                secrets = {"ROLLBACK_SSH_KEY": key, "ROLLBACK_KNOWN_HOSTS": server.known_hosts}
                _play(stage, sandbox, server.address, secrets)
            stage.say(f"\nThat took {time.monotonic() - began:.1f} s. Service, SSH server and directory are gone.")
    except OSError as error:
        raise Refused(f"the demo cannot go on: {error}") from error
    return Exit.OK


def _play(stage: Stage, sandbox: Sandbox, address: str, secrets: dict[str, str]) -> None:
    command = partial(stage.run, directory=sandbox.directory, secrets=secrets)
    stage.say(f"In {sandbox.directory}: a service with four releases, behind an SSH server on loopback")
    stage.say(f"whose host key is known: {' and '.join(secrets)} are set.")
    stage.say("\nrollback.toml:", "strong")
    stage.say(sandbox.lay_out(address))
    sandbox.start_service()
    _show_health(stage, sandbox, expected=503)
    command("list", "prod")
    command("rollback", "prod", "--reason", "no payments since v1.11", "--record", _RECORD)
    stage.say("")
    _show_health(stage, sandbox, expected=200)
    _show_record(stage, sandbox)
    command("history", "list")


def _show_health(stage: Stage, sandbox: Sandbox, expected: int) -> None:
    status, body = sandbox.health()
    stage.say(f"GET {sandbox.url} → {status} {body}", "good" if status == 200 else "bad")
    if status != expected:
        raise Refused(f"the demo went wrong: the service answers {status} instead of {expected}")


def _show_record(stage: Stage, sandbox: Sandbox) -> None:
    record = json.loads((sandbox.directory / _RECORD).read_text(encoding="utf-8"))
    stage.say(f"\n{_RECORD}, {len(_FIELDS)} of its {len(record)} fields:", "strong")
    for name in _FIELDS:
        stage.say(f"  {json.dumps(name)}: {json.dumps(record[name])}")


def _require_tools() -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        hint = "Every Linux has them (coreutils and util-linux); elsewhere, run the demo in a Linux container."
        raise Refused(f"the demo needs {', '.join(missing)} on this machine", hint)
