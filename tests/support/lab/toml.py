"""Plain data as TOML text: the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dump(document: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """``{"services": {"bot": {key: value}}}`` as sections like ``[services."bot"]``."""
    lines = []
    for family, sections in document.items():
        for name, section in sections.items():
            lines.append(f"[{family}.{_text(name)}]")
            lines += [f"{_text(key)} = {_value(value)}" for key, value in section.items()]
            lines.append("")
    return "\n".join(lines)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)
