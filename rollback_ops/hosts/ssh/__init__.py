"""Hosts that are reached over SSH, through Fabric. The only place with Fabric and paramiko.

Both import invoke, which imports ``unittest.mock`` for people who test their tasks (and with it unittest and asyncio),
and a parser of YAML for files with settings, which are not read here. paramiko reads its own version from the metadata
of packages, and tells it to hosts. These 110 modules took a fifth of the time before the first packet. So both are
imported here, without them.
"""

from __future__ import annotations

import sys
from importlib import import_module

from rollback_ops.core.stand_ins import StandIn, standing_in

# The packages that get the stand-ins. Those with compiled modules cannot be imported twice, and get none.
_PURE = ("invoke", "paramiko", "fabric")


def _import_fabric() -> None:
    """Import Fabric without what its libraries need for others only; with it, where a version of them needs it."""
    try:
        with standing_in(
            StandIn("unittest.mock"),
            StandIn("invoke.vendor.yaml"),
            StandIn("importlib.metadata", version=lambda name: "5"),
        ):
            import_module("fabric.connection")
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] in _PURE]:
            del sys.modules[name]
        import_module("fabric.connection")


_import_fabric()
