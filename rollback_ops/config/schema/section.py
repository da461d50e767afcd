"""The base of all tables of rollback.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    # Only the whole file is validated, so only its schema is built, when it is needed.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)
