"""The checks that every request has to pass, and the headers of every answer.

The rules follow OWASP's cheat sheets on cross-site request forgery, fetch metadata and content security policy.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollback_ops.core.frozen import frozen
from rollback_ops.web.server.peer import is_somebody_else
from rollback_ops.web.server.sessions import Sessions

LOOPBACK = "127.0.0.1"
# The token of the link follows.
ENTRANCE = "/enter/"
_METHODS = ("GET", "HEAD", "POST")
_FORM = "application/x-www-form-urlencoded"
# Bytes. A form has one signed text, a reason of at most 1,000 characters, and a name.
_LONGEST_FORM = 32_768


@frozen
class RefusedRequest:
    """The refusal of a request. ``told`` is shown to the person as plain text."""

    status: int
    told: str


def cookie_name(port: int) -> str:
    """Return the name of the session's cookie. Browsers send cookies to every port of a host."""
    return f"rollback-ops-{port}"


def set_cookie(port: int, session: str) -> str:
    """Return the header that gives a browser the session. It ends with the browser, or with the process before."""
    return f"{cookie_name(port)}={session}; Path=/; HttpOnly; SameSite=Strict"


def allowed_hosts(port: int) -> tuple[str, ...]:
    """Return the names of the server. Under another name (DNS rebinding), the page belongs to somebody else."""
    return f"{LOOPBACK}:{port}", f"localhost:{port}"


class Secured:
    """Lets requests of the person's own browser through, and no others."""

    def __init__(self, app: ASGIApp, sessions: Sessions, port: int) -> None:
        self._app = app
        self._sessions = sessions
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it in plain text. Anything but HTTP is dropped."""
        if scope["type"] != "http":
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce
        guarded = _with_headers(send, nonce)
        if refused := self._refused(scope):
            await PlainTextResponse(f"{refused.told}\n", refused.status)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _refused(self, scope: Scope) -> RefusedRequest | None:
        headers = Headers(scope=scope)
        if is_somebody_else(scope["client"], scope["server"]):
            return RefusedRequest(403, "This dashboard belongs to another user of this machine.")
        if headers.getlist("host") not in [[name] for name in allowed_hosts(self._port)]:
            return RefusedRequest(421, f"This server is http://{LOOPBACK}:{self._port}/ and has no other name.")
        if scope["method"] not in _METHODS:
            return RefusedRequest(405, "The dashboard is read with GET and changed with POST.")
        if scope["path"].startswith(ENTRANCE):
            return _not_a_visit(scope["method"], headers)
        if not self._sessions.is_open(session_in(headers, self._port)):
            return RefusedRequest(
                403, "Open the link that `rollback-ops dashboard` printed. It works once, in one browser."
            )
        return _not_our_form(headers) if scope["method"] == "POST" else _not_our_page(headers)


def session_in(headers: Headers, port: int) -> str:
    """Return the session that the browser sends; empty without one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(cookie_name(port))
    except CookieError:
        return ""
    return found.value if found else ""


def _not_a_visit(method: str, headers: Headers) -> RefusedRequest | None:
    """Refuse every request at the entrance but that of a person who opens the link: no other may use it up."""
    visits = headers.get("sec-fetch-mode", "navigate") == "navigate"
    at_the_top = headers.get("sec-fetch-dest", "document") == "document"
    early = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz")
    if method == "GET" and visits and at_the_top and not early:
        return None
    return RefusedRequest(403, "Open the link itself, in a window of its own.")


def _not_our_page(headers: Headers) -> RefusedRequest | None:
    """Refuse requests from pages of another site or port. A typed address comes from no page."""
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return None
    return RefusedRequest(403, "Another page asked for this. Open the dashboard itself.")


def _not_our_form(headers: Headers) -> RefusedRequest | None:
    """Refuse a form that no page of ours sent. A browser that is too old for fetch metadata names the origin."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    ours = origin == f"http://{headers['host']}"
    if site not in (None, "same-origin") or not (ours or (site and origin is None)):
        return RefusedRequest(403, "No page of the dashboard sent this form.")
    if headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        return RefusedRequest(415, f"A form is {_FORM}.")
    length = headers.get("content-length", "")
    if not length.isdigit() or int(length) > _LONGEST_FORM:
        return RefusedRequest(413, "The form is too long.")
    return None


def policy(nonce: str) -> str:
    """Return the content security policy: our own style and script, our own forms and events, and nothing else."""
    allowed: Mapping[str, str] = {
        "default-src": "'none'",
        "style-src": f"'nonce-{nonce}'",
        "script-src": f"'nonce-{nonce}'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _with_headers(send: Send, nonce: str) -> Callable[[Message], Any]:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy(nonce)
            headers["X-Frame-Options"] = "DENY"
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            # Not no-referrer: browsers would then send "Origin: null" with our own forms.
            headers["Referrer-Policy"] = "same-origin"
        await send(message)

    return sending
