"""Imports pydantic without what it needs for others only: a quarter of its time. Import this before pydantic.

The stand-ins are for plugins of other packages (none is wanted, see ``__main__``; earlier versions look through all
packages), for fields that are time zones, and for the name of this system, which ``uuid`` asks for. A version of
pydantic that needs what they replace is imported without them.
"""

from __future__ import annotations

import os

from rollback_ops.core.frozen import frozen_by_libraries
from rollback_ops.core.stand_ins import StandIn, import_lean, plain_typed_dicts, standing_in

_PACKAGES = ("annotated_types", "pydantic", "pydantic_core")


class _TimeZone:
    """The type of fields that no model here has."""


def _stand_ins() -> tuple[StandIn, ...]:
    return (
        StandIn("importlib.metadata", entry_points=lambda **_: (), distributions=lambda **_: ()),
        StandIn("zoneinfo", ZoneInfo=_TimeZone, ZoneInfoNotFoundError=KeyError),
        StandIn("platform", system=lambda: os.uname().sysname),
    )


# pydantic describes its schemas with 89 typed dictionaries, for type checkers.
import_lean(
    "pydantic_core.core_schema", _PACKAGES, standing_in(*_stand_ins()), frozen_by_libraries(), plain_typed_dicts()
)
for _module in ("pydantic.fields", "pydantic.main", "pydantic.plugin._loader"):
    import_lean(_module, _PACKAGES, standing_in(*_stand_ins()), frozen_by_libraries())
