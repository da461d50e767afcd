"""Troubles of GitHub's API."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Literal

from tests.support.github_api.description import Request

Raw = tuple[int, dict[str, str], bytes]
Kind = Literal["error", "html", "rate limit", "secondary limit", "hang", "cut", "lost answer", "unauthorized"]


@dataclass
class Trouble:
    """What is wrong with requests whose ``METHOD /path`` the pattern is found in; for so many of them, or for all.

    ``cut``: the connection ends without an answer, and nothing was done. ``lost answer``: it was done all the same.
    """

    kind: Kind
    pattern: str = ""
    times: int = 1_000_000

    def hits(self, request: Request) -> bool:
        if self.times and re.search(self.pattern, str(request)):
            self.times -= 1
            return True
        return False


def _said(status: int, message: str, **headers: str) -> Raw:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps({"message": message}).encode()


_UNICORN = (
    b"<!DOCTYPE html><html><body><p><strong>Unicorn!</strong> We had issues producing the response.</p></body></html>"
)
BROKEN: dict[str | None, Raw] = {
    "error": _said(500, "Server Error"),
    "unauthorized": _said(401, "Bad credentials"),
    "html": (502, {"Content-Type": "text/html"}, _UNICORN),
    "rate limit": _said(
        403,
        "API rate limit exceeded for installation.",
        x_ratelimit_limit="1000",
        x_ratelimit_remaining="0",
        x_ratelimit_reset=str(int(time.time()) + 3000),
    ),
    "secondary limit": _said(429, "You have exceeded a secondary rate limit.", retry_after="60"),
}
