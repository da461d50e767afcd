"""Hosts that are reached over SSH, through Fabric. The only place with Fabric and paramiko.

Both import invoke, which imports ``unittest.mock`` (for tests of its tasks; it brings unittest and asyncio) and a
parser of YAML (for settings that are not used here). paramiko reads its own version, which it sends to hosts, from the
metadata of packages. These 110 modules took a fifth of the time before the first packet, so stand-ins replace them.
"""

from __future__ import annotations

import sys
from importlib import import_module

from rollback_ops.core.stand_ins import StandIn, standing_in

# The packages that get the stand-ins. Those with compiled modules cannot be imported twice, and get none.
_PURE = ("invoke", "paramiko", "fabric")


def _import_fabric() -> None:
    """Import Fabric with the stand-ins; or, where a version of its libraries needs the real modules, with those."""
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
