"""An Adaptive Card for Teams, in the envelope that its workflows take.

Texts are runs (``TextRun``), in which Teams reads no Markdown. A card may have 28 KB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rollback_ops.core.text import one_line, short
from rollback_ops.integrations.webhook.message import Notice, message_of

_VALUE = 300
_HOST = 200
_MOST_HOSTS = 12
_URL = 600


def payload(news: Notice) -> dict[str, Any]:
    told = message_of(news)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _line((told.title, True), size="Large"),
            *(_line((f"{name}: ", True), (value, False)) for name, value in told.facts),
            *_listed("Hosts", told.hosts),
            *_listed("Next steps", told.next_steps),
            _line(("Status: ", True), (told.status, False)),
        ],
    }
    if len(told.run_url) <= _URL and re.fullmatch(r"https?://[\w.:/-]+", told.run_url, re.ASCII):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the run", "url": told.run_url}]
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
    plain = short(one_line(text), _VALUE)
    return {"type": "TextRun", "text": plain or "-", "weight": "Bolder" if bold else "Default", "size": size}
