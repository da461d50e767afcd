"""The application: the addresses of the pages, and the entrance."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.web.server.changes import ChangePages
from rollback_ops.web.server.forms import FormSigner
from rollback_ops.web.server.rollbacks import Rollbacks
from rollback_ops.web.server.screens import Screens
from rollback_ops.web.server.security import ENTRANCE, Secured, session_in, set_cookie
from rollback_ops.web.server.sessions import Sessions
from rollback_ops.web.server.site import Site

_NO_ENTRY = {
    "used": "This link was used already. If it was not you: press Ctrl-C in the terminal now, and start again.",
    "expired": "This link is more than ten minutes old. Press Ctrl-C in the terminal, and start again.",
    "wrong": "This is not the link that `rollback-ops dashboard` printed.",
}
# The browser goes on from a page of ours: it would not take a strict cookie through a redirect from elsewhere.
_WELCOME = """<!doctype html>
<html lang="en"><title>Dashboard</title><meta http-equiv="refresh" content="0;url=/"><a href="/">Go on</a></html>
"""


def application(site: Site, sessions: Sessions, signer: FormSigner, port: int) -> ASGIApp:
    """Return the application, behind its security checks."""
    screens, rollbacks, changes = Screens(site), Rollbacks(site, signer), ChangePages(site, signer)

    def enter(request: Request) -> Response:
        return _enter(request, sessions, port)

    routes = [
        Route(f"{ENTRANCE}{{token}}", enter),
        Route("/", screens.now),
        Route("/history", screens.history),
        Route("/numbers", screens.numbers),
        Route("/record", screens.record),
        Route("/record/log", screens.log),
        Route("/running", screens.running),
        Route("/running/events", screens.running_events),
        Route("/rollback", rollbacks.preview),
        Route("/rollback", rollbacks.begin, methods=["POST"]),
        Route("/change", changes.offer),
        Route("/change", changes.begin, methods=["POST"]),
        Route("/runs/{number:int}", rollbacks.run),
        Route("/runs/{number:int}/events", rollbacks.run_events),
    ]
    handlers = {RollbackOpsError: site.explained, Exception: site.defect}
    return Secured(Starlette(routes=routes, exception_handlers=handlers), sessions, port)


def _enter(request: Request, sessions: Sessions, port: int) -> Response:
    """Exchange the link for a session."""
    if sessions.is_open(session_in(request.headers, port)):
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    entry, session = sessions.enter(request.path_params["token"])
    if entry != "welcome":
        return PlainTextResponse(f"{_NO_ENTRY[entry]}\n", HTTPStatus.FORBIDDEN)
    return HTMLResponse(_WELCOME, headers={"Set-Cookie": set_cookie(port, session)})
