"""Slack's blocks, and a complete plain text: Mattermost, Rocket.Chat and Discord (``/slack``) show only the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rollback_ops.core.text import one_line
from rollback_ops.integrations.webhook.message import Message, Notification, message_of

# UTF-16 units. Slack's limits are 150 (header) and 3,000 (section); Discord's for the text is 2,000.
_HEADER = 150
_SECTION = 2_900
_TEXT = 1_900
_VALUE = 400
_URL = 600

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack has no escape for formatting characters: similar-looking ones stand in for them.
_LOOKALIKES = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_NOTHING = "\u200b"
_AT_THE_EDGE_OF_A_WORD = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"(?<!\w)@|@(?=(?:here|channel|everyone|all)\b)", re.IGNORECASE)


def payload(notification: Notification) -> dict[str, Any]:
    message = message_of(notification)
    facts, status = [_fact(*fact) for fact in message.facts], _fact("Status", message.status)
    hosts = [f"• {safe(host)}" for host in message.hosts]
    steps = [f"{number}. {safe(step)}" for number, step in enumerate(message.next_steps, 1)]
    parts = [facts, ["*Hosts:*", *hosts] if hosts else [], ["*Next steps:*", *steps] if steps else []]
    last = [status, *_link(message)]
    return {
        "text": fitting([f"*{safe(message.title)}*", *facts[:5], *last, *facts[5:], *hosts], _TEXT),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": safe(message.title, _HEADER)}},
            *(_section(part) for part in (*parts, last) if part),
        ],
    }


def safe(text: str, room: int = _VALUE) -> str:
    """Make text from outside safe for Slack: no formatting, no mentions, at most ``room`` UTF-16 units."""
    plain = _AT_THE_EDGE_OF_A_WORD.sub("\u02cd", one_line(text).translate(_LOOKALIKES))
    plain = _MENTION.sub(f"@{_NOTHING}", plain).replace("](", f"]{_NOTHING}(")
    whole = [_ENTITIES.get(character, character) for character in plain]
    left = room - 1
    for number, written in enumerate(whole):
        left -= units(written)
        if left < 0:
            return "".join(whole[:number]) + "…"
    return "".join(whole) or "-"


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units, as Slack counts it."""
    return len(text.encode("utf-16-le")) // 2


def fitting(lines: Iterable[str], room: int) -> str:
    """Join as many of the lines as fit into ``room`` UTF-16 units, and count the rest."""
    taken: list[str] = []
    rest = list(lines)
    left = room - len("\n… and 1,000,000 more")
    while rest and units(rest[0]) < left:
        left -= units(rest[0]) + 1
        taken.append(rest.pop(0))
    return "\n".join([*taken, f"… and {len(rest):,} more"] if rest else taken)


def _fact(name: str, value: str) -> str:
    return f"*{name}:* {safe(value)}"


def _section(lines: list[str]) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": fitting(lines, _SECTION), "verbatim": True}}


def _link(message: Message) -> list[str]:
    """Link the run, if its URL contains no character with a meaning in Slack."""
    url = message.run_url
    return [f"*Run:* <{url}>"] if len(url) <= _URL and re.fullmatch(r"https?://[\w.:/-]+", url, re.ASCII) else []
