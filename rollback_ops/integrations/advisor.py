"""Asks a language model for a suggestion: one request, ten seconds, no retry. Never raises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.suggestion import Fact, Suggestion, question, suggestion_of
from rollback_ops.core.tasks import Cancellation, each

if TYPE_CHECKING:
    from pydantic import SecretStr

WITHIN = 10.0
_MOST_BYTES = 100_000


def suggest(
    url: str,
    model: str,
    key: SecretStr | None,
    decision: str,
    facts: Sequence[Fact],
    cancellation: Cancellation,
    within: float = WITHIN,
) -> Suggestion | str:
    """Return the suggestion, or why there is none. It takes at most ``within`` seconds.

    No text of an exception is shown: it may contain the address or the key.
    """
    body = json.dumps(question(model, decision, facts)).encode()
    work = lambda _: _ask(url, body, key, within, facts)  # noqa: E731
    found = each(["advisor"], work, within, cancellation)["advisor"]
    return f"it did not answer within {within:g} s" if isinstance(found, RollbackOpsError) else found


def _ask(url: str, body: bytes, key: SecretStr | None, within: float, facts: Sequence[Fact]) -> Suggestion | str:
    import logging

    import requests

    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    try:
        with (
            requests.Session() as session,
            session.post(
                f"{url.rstrip('/')}/chat/completions",
                data=body,
                headers={"Content-Type": "application/json"},
                auth=_bearer(key),
                timeout=within,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            if answer.status_code != 200:
                return f"it answered with status {answer.status_code}"
            return suggestion_of(_json(answer), facts)
    except (requests.RequestException, OSError) as error:
        return f"it cannot be asked ({type(error).__name__})"
    except ValueError as error:
        return f"its answer was dropped: {error}"
    except Exception as error:
        # A defect here must not change the advice.
        return f"it failed ({type(error).__name__})"


def _bearer(key: SecretStr | None) -> Any:
    def authenticate(request: Any) -> Any:
        if key:
            request.headers["Authorization"] = f"Bearer {key.get_secret_value()}"
        return request

    # With an authentication of its own, requests never sends a password of ~/.netrc.
    return authenticate


def _json(answer: Any) -> Any:
    content = b""
    for part in answer.iter_content(8192):
        content += part
        if len(content) > _MOST_BYTES:
            raise ValueError("it is too long")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
