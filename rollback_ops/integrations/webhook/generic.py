"""The JSON format: the record itself, for programs; at the start, the part of it that is known."""

from __future__ import annotations

from typing import Any

from rollback_ops.integrations.webhook.message import Notification


def payload(notification: Notification) -> dict[str, Any]:
    return notification.model_dump(mode="json", by_alias=True)
