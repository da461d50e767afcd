"""The fields of a line from a host. Hosts are untrusted: each field is cleaned and bounded."""

from __future__ import annotations

import re

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+:@~=,-]{0,127}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str, longest: int = 400) -> str:
    """Return text from a host as one bounded line, without control and direction characters."""
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def status_of(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else -1


def count_of(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def number_of(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text) else None
