"""The JSON Schema of rollback.toml, for editors: the values that each key may have."""

from __future__ import annotations

from typing import Any

from rollback_ops.config.schema import Settings


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the settings as they are written: a duration is a text or seconds."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(mode="validation"),
        "title": "rollback.toml",
    }
