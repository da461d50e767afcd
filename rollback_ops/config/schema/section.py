"""The base of all tables of rollback.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rollback_ops.core.stand_ins import StandIn, standing_in

# pydantic looks for plugins here. We use none (``__main__``), and these imports took 15 ms. Earlier versions of it
# search all packages.
with standing_in(StandIn("importlib.metadata", entry_points=lambda **_: (), distributions=lambda **_: ())):
    import pydantic.plugin._loader  # noqa: F401


class Section(BaseModel):
    # Only the whole file is validated, so only its schema is built, when it is needed.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)
