"""Imports pydantic without what it needs for others only: a quarter of its time. Import this before pydantic.

The stand-ins are for plugins of other packages (none is wanted, see ``__main__``; earlier versions look through all
packages), for fields that are time zones, and for the name of this system, which ``uuid`` asks for. A version of
pydantic that needs what they replace is imported without them.
"""

from __future__ import annotations

import os
import sys

from rollback_ops.core.frozen import frozen_by_libraries
from rollback_ops.core.stand_ins import StandIn, plain_typed_dicts, standing_in

_PURE = ("annotated_types", "pydantic", "pydantic_core")
# Compiled modules cannot be imported twice.
_COMPILED = "pydantic_core._pydantic_core"


class _TimeZone:
    """The type of fields that no model here has."""


def _import_lean() -> None:
    with (
        standing_in(
            StandIn("importlib.metadata", entry_points=lambda **_: (), distributions=lambda **_: ()),
            StandIn("zoneinfo", ZoneInfo=_TimeZone, ZoneInfoNotFoundError=KeyError),
            StandIn("platform", system=lambda: os.uname().sysname),
        ),
        frozen_by_libraries(),
    ):
        # pydantic describes its schemas with 89 typed dictionaries, for type checkers.
        with plain_typed_dicts():
            import pydantic_core.core_schema  # noqa: F401
        import pydantic.fields
        import pydantic.main
        import pydantic.plugin._loader  # noqa: F401


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in _PURE]:
        if name != _COMPILED:
            del sys.modules[name]


try:
    _import_lean()
except Exception:
    _forget()
