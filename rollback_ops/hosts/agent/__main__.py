"""Prints the joined text of the agent with placeholder settings, for shellcheck: ``sent`` or ``installed``."""

from __future__ import annotations

import sys

from rollback_ops.config import Service
from rollback_ops.core.health import Thresholds
from rollback_ops.core.model import HostCommand, Manager, ServiceId, StateReader
from rollback_ops.hosts.agent import bundle, installed

_CHECKS = {
    "page": {"kind": "http", "url": "http://localhost/{release}", "text": "ok", "json": {"release": "{release}"}},
    "port": {"kind": "tcp", "address": "localhost:1"},
    "log": {"kind": "logs", "command": "true"},
    "config": {"kind": "command", "run": "true", "phase": "before"},
}


def text(product: str) -> str:
    """Return the text of a product: ``sent`` with each operation, or ``installed`` for break-glass."""
    service = Service.model_validate({"root": "/srv/placeholder", "units": ["placeholder"], "checks": _CHECKS})
    about = ServiceId("placeholder", "prod")
    manager = Manager(
        kind="systemd", stop=":", kill=":", reset=":", start=":", running=":", stopped=":", state=":", logs=":"
    )
    if product == "sent":
        return bundle.comparing(bundle.render(about, service, manager))
    thresholds = dict.fromkeys(("process", *_CHECKS), Thresholds())
    questions = {name: HostCommand("true", 5.0) for name in ("log", "config")}
    reader = StateReader("^X=", "p")
    wanted = installed.InstalledProgram(about, service, manager, reader, questions, thresholds, service)
    return installed.render(wanted)


if __name__ == "__main__":
    sys.stdout.write(text(sys.argv[1]))
