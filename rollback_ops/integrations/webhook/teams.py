"""An Adaptive Card for Teams, in the envelope that Teams' workflows accept.

Texts are ``TextRun`` elements, in which Teams interprets no Markdown. A card may have at most 28 KB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rollback_ops.core.text import one_line, short
from rollback_ops.integrations.webhook.message import Notification, message_of

_VALUE = 300
_HOST = 200
_MOST_HOSTS = 12
_URL = 600


def payload(notification: Notification) -> dict[str, Any]:
    message = message_of(notification)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _line((message.title, True), size="Large"),
            *(_line((f"{name}: ", True), (value, False)) for name, value in message.facts),
            *_listed("Hosts", message.hosts),
            *_listed("Next steps", message.next_steps),
            _line(("Status: ", True), (message.status, False)),
        ],
    }
    if len(message.run_url) <= _URL and re.fullmatch(r"https?://[\w.:/-]+", message.run_url, re.ASCII):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the run", "url": message.run_url}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _listed(title: str, texts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if texts:
        yield _line((f"{title}:", True))
    for text in texts[:_MOST_HOSTS]:
        yield _line((f"• {short(text, _HOST)}", False))
    if len(texts) > _MOST_HOSTS:
        yield _line((f"… and {len(texts) - _MOST_HOSTS:,} more", False))


def _line(*runs: tuple[str, bool], size: str = "Default") -> dict[str, Any]:
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": [_run(*run, size) for run in runs]}


def _run(text: str, bold: bool, size: str) -> dict[str, Any]:
    plain = one_line(text, _VALUE)
    return {"type": "TextRun", "text": plain or "-", "weight": "Bolder" if bold else "Default", "size": size}
