"""The record itself, for programs; at the start what is known of it then."""

from __future__ import annotations

from typing import Any

from rollback_ops.integrations.webhook.message import Notice


def payload(news: Notice) -> dict[str, Any]:
    return news.model_dump(mode="json", by_alias=True)
