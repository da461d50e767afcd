"""The one module that needs pydantic-settings: nested variables as tables, lists and texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from rollback_ops.config.schema import Settings


class _Layer(Settings, BaseSettings):
    """What the source looks at to know which texts are JSON."""

    model_config = SettingsConfigDict(env_prefix="ROLLBACK_", env_nested_delimiter="__")


class VariablesSource(EnvSettingsSource):
    """Called, it gives the settings that ``environ`` holds, not yet validated. Empty variables count as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(_Layer)
        self.env_vars = {name.lower(): value for name, value in environ.items() if value}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or a table from JSON. What is not JSON stays a text, which validation then explains."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value
