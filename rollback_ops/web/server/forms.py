"""Signed forms: a form comes back as it was shown, within ten minutes, and from this process only.

The signed part has no secret in it. It names the plan that the person has seen, and a key that makes two clicks one
rollback.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal
from urllib.parse import parse_qs

from rollback_ops.core.frozen import frozen

# Seconds. Another release may be live by then, and the person may have left the desk.
FORM_WITHIN = 600.0
_MOST_FIELDS = 12

Fault = Literal["forged", "expired"]
Action = Literal["rollback", "resume", "hold", "lift", "mark", "schedule", "cancel"]


@frozen
class RollbackForm:
    """The rollback of a form, by the plan that it shows, or another ``action``. ``key``: two clicks are one.

    ``leaves`` is the release that has to be live still; empty where the hosts run several. ``approved`` is the hash of
    the plan; empty in an emergency, which goes on without hosts that became unreachable. With a ``group``, ``leaves``
    and ``target`` name the release of each service. ``number`` is that of a scheduled rollback.
    """

    environment: str
    service: str
    emergency: bool
    leaves: str
    target: str
    approved: str
    key: str
    action: Action = "rollback"
    group: str = ""
    number: str = ""

    @property
    def subject(self) -> str:
        """The service, or the group, that it is about."""
        return self.group or self.service


class FormSigner:
    """Signs forms and reads them back. ``clock``: seconds that never go backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._secret = secrets.token_bytes(32)
        self._clock = clock

    def sign(self, form: RollbackForm) -> str:
        """Return the form as one text for a hidden field."""
        body = json.dumps({"at": self._clock(), **asdict(form)}, separators=(",", ":")).encode()
        return f"{base64.urlsafe_b64encode(body).decode()}.{self._mac(body)}"

    def read(self, text: str) -> tuple[RollbackForm, Fault | None] | None:
        """Return a form that this process signed, and whether it is too old. None: it is forged."""
        encoded, _, mac = text.partition(".")
        try:
            body = base64.b64decode(encoded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(mac.encode(errors="replace"), self._mac(body).encode()):
            return None
        said = json.loads(body)
        at = said.pop("at")
        return RollbackForm(**said), "expired" if self._clock() - at > FORM_WITHIN else None

    def _mac(self, body: bytes) -> str:
        return hmac.new(self._secret, body, hashlib.sha256).hexdigest()


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form, each once. Empty for a form that cannot be read."""
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {key: values[0] for key, values in found.items() if len(values) == 1}


def problem_of(form: RollbackForm, fault: Fault | None, typed: str) -> str:
    """Return why a form begins nothing; empty when it may."""
    if fault:
        return "This form was more than ten minutes old, so nothing was done. This is what it would do now."
    if typed.strip() != form.environment:
        return f"Type the name of the environment, {form.environment}. Nothing was done."
    return ""


def new_key() -> str:
    """Return a key for one form."""
    return secrets.token_urlsafe(16)
