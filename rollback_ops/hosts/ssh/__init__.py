"""Hosts that are reached over SSH, through Fabric. The only place with Fabric and paramiko.

Stand-ins replace 130 modules that both import and that are not used here; they took a fifth of the time before the
first packet. Both Fabric and invoke have command lines. invoke imports ``unittest.mock`` (for tests of its tasks; it
brings unittest and asyncio) and a parser of YAML (for its own settings). paramiko reads its own version, which it sends
to hosts, from the metadata of packages. It imports SFTP, ``tempfile`` to forward agents, and invoke for ``Match exec``,
which is left out here.

paramiko reads keys, so it is imported before the first packet. Fabric is not needed before the first answer.
"""

from __future__ import annotations

import sys
import threading

from rollback_ops.core.stand_ins import StandIn, import_lean, standing_in

# The command lines of both, with which people run tasks on groups of hosts.
_COMMAND_LINES = (
    "invoke.program",
    "invoke.loader",
    "invoke.executor",
    "fabric.group",
    "fabric.tasks",
    "fabric.executor",
)
_COPYING = [f"paramiko.sftp_{part}" for part in ("client", "server", "handle", "si", "attr", "file")]
_fabric = threading.Lock()


def import_fabric() -> None:
    """Import Fabric, in one thread. Others may import other modules meanwhile: they do not know its stand-ins."""
    with _fabric:
        if "fabric.connection" in sys.modules:
            return
        unwanted = ("unittest.mock", "invoke.vendor.yaml", *_COMMAND_LINES)
        import_lean("fabric.connection", ("invoke", "fabric"), standing_in(*map(StandIn, unwanted)))


import_lean(
    "paramiko",
    ("paramiko",),
    standing_in(
        StandIn("importlib.metadata", version=lambda name: "5"),
        *map(StandIn, ("invoke", "tempfile", *_COPYING)),
    ),
)
