"""Shared by the tests of settings: writes a file with some text, and loads it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from rollback_ops.config import Settings
from rollback_ops.config.load import load
from rollback_ops.core.errors import Exit, UsageError


def read(toml: str | bytes, environ: Mapping[str, str] | None = None) -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rollback.toml")
        path.write_bytes(toml if isinstance(toml, bytes) else toml.encode())
        try:
            return load(path, environ or {})
        except UsageError as error:
            raise UsageError(error.message.replace(str(path), "rollback.toml"), error.hint) from None


def complaint(toml: str | bytes, environ: Mapping[str, str] | None = None) -> str:
    """The message that settings are refused with; every one of them leads to exit code 64 and is free of jargon."""
    with pytest.raises(UsageError) as caught:
        read(toml, environ)
    message = caught.value.message
    assert caught.value.exit_code == Exit.USAGE
    for jargon in (
        "Input",
        "input",
        "extra_forbidden",
        "pydantic",
        "Value error",
        "valid tuple",
        " tag",
        "https://errors",
    ):
        assert jargon not in message
    return message


def holds(message: str, facts: str) -> bool:
    """Whether a message has these facts, in this order and in one line. "…" stands for any words between them."""
    return re.search(".*".join(map(re.escape, re.split(" ?… ?", facts))), message) is not None


def as_toml(value: object) -> str:
    """A value as TOML writes it: texts and numbers are those of JSON, tables are not."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(inner) for inner in value) + "]"
    return json.dumps(value)
