"""Read nested ``ROLLBACK_*`` variables. Only this module imports pydantic-settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from rollback_ops.config.schema import Settings


class _Layer(Settings, BaseSettings):
    """The model by which the source knows which variables hold JSON."""

    model_config = SettingsConfigDict(env_prefix="ROLLBACK_", env_nested_delimiter="__")


class VariablesSource(EnvSettingsSource):
    """The settings that ``environ`` holds, not yet validated. Call it to get them. Empty variables count as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(_Layer)
        self.env_vars = {name.lower(): value for name, value in environ.items() if value}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Parse a list or a table from JSON. Text that is not JSON is kept, so that validation reports it."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value
