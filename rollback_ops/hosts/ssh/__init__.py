"""Hosts that are reached over SSH, through Fabric. The only place with Fabric and paramiko.

Both import invoke, which imports ``unittest.mock`` for people who test their tasks (and with it unittest and asyncio),
and a parser of YAML for files with settings, which are not read here. paramiko reads its own version from the metadata
of packages, and tells it to hosts. These 110 modules took a fifth of the time before the first packet. So both are
imported here, without them.
"""

from __future__ import annotations

from importlib import import_module

from rollback_ops.core.stand_ins import StandIn, standing_in

with standing_in(
    StandIn("unittest.mock"),
    StandIn("invoke.vendor.yaml"),
    StandIn("importlib.metadata", version=lambda name: "5"),
):
    import_module("fabric.connection")
