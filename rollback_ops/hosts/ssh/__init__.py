"""Hosts that are reached over SSH, through Fabric. The only place with Fabric and paramiko.

Both import invoke, which imports ``unittest.mock`` for people who test their tasks (and with it unittest and asyncio),
and a parser of YAML for files with settings, which are not read here. These 80 modules took a tenth of the time before
the first packet. So Fabric is imported here, without them.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_UNUSED = ("unittest.mock", "invoke.vendor.yaml")


class _Empty(ModuleType):
    """Has every name, and nothing behind it."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def _import_fabric() -> None:
    """Import Fabric while the unused modules are empty. Those that were imported before stay as they are."""
    empty = {name: _Empty(name) for name in _UNUSED if name not in sys.modules}
    sys.modules.update(empty)
    try:
        importlib.import_module("fabric.connection")
    finally:
        for name in empty:
            del sys.modules[name]


_import_fabric()
