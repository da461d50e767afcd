"""No manager: files that another program serves, such as a web server. Only the link is switched, and checks run."""

from __future__ import annotations

import shlex

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, StateReader, Unit

READER = StateReader()


def commands(service: Service, name: str) -> Manager:
    return Manager(
        kind=service.manager,
        stop=":",
        kill=":",
        reset=":",
        start=":",
        # The files are there before and after: a switch never finds them stopped.
        running=":",
        stopped="! :",
        state="echo files",
        logs=":",
        first_aid=(f"ls -l {shlex.quote(f'{service.root}/{service.current}')}",),
    )


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    return (Unit(name, "files" if text.strip() == "files" else "unknown"),)
