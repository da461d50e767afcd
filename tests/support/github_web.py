"""GitHub's API made up with ``responses``: what it answers is said call by call, the last answer for ever."""

from __future__ import annotations

import json
import re
from typing import Any

import responses
from pydantic import SecretStr

from rollback_ops.core.redaction import Redactor
from rollback_ops.integrations.github.api import Repository

TOKEN = "ghs_0123456789abcdefSECRET"
SHA, OLD_SHA, LEFT_SHA = "a" * 40, "b" * 40, "d" * 40
PLACE = Repository("acme/bot", SecretStr(TOKEN), sha=SHA)
REDACT = Redactor([TOKEN])
PAGE_OF_A_PROXY = "<html><title>Sign in to proxy.example.org</title></html>"


def address(path: str, host: str = "api.github.com:443") -> re.Pattern[str]:
    return re.compile(rf"https://{re.escape(host + path)}(\?.*)?$")


DEPLOYMENTS = address("/repos/acme/bot/deployments")


def statuses(number: int) -> re.Pattern[str]:
    return address(f"/repos/acme/bot/deployments/{number}/statuses")


def deployment(number: int = 7, **words: Any) -> dict[str, Any]:
    url = f"https://api.github.com/repos/acme/bot/deployments/{number}"
    return {"id": number, "url": url, "sha": OLD_SHA, "environment": "prod", "payload": {}, "task": "rollback", **words}


def sent(web: responses.RequestsMock, method: str = "POST") -> list[tuple[str, Any]]:
    """The path of each request, and the document in it."""
    there = [call.request for call in web.calls if call.request.method == method]
    paths = [re.sub(r"^https://[^/]+", "", str(request.url)) for request in there]
    return [(path, json.loads(request.body or "null")) for path, request in zip(paths, there, strict=True)]
