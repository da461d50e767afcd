"""Shared by all pages of the server: the commands, the templates, and the answers."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rollback_ops.web.frame import Frame, Links
from rollback_ops.web.pages import Pages
from rollback_ops.web.server.lookout import Lookout
from rollback_ops.web.server.operations import Operations
from rollback_ops.web.server.runs import Run, Runs


def address(path: str, **query: str) -> str:
    """Return the address of a page. Empty words of the query are left out."""
    return f"{path}?{urlencode({key: text for key, text in query.items() if text})}"


LINKS = Links(
    now="/",
    history="/history",
    numbers="/numbers",
    record=lambda run: address("/record", id=run),
    rollback=lambda environment, service: address("/rollback", environment=environment, service=service),
    running=lambda environment, service: address("/running", environment=environment, service=service),
    change=lambda action, environment, **about: address("/change", action=action, environment=environment, **about),
    log=lambda run: address("/record/log", id=run),
)


class Site:
    """The server's parts. ``crashed`` is told of defects. Raises ``UsageError`` for settings that cannot be read."""

    def __init__(self, operations: Operations, runs: Runs, crashed: Callable[[Exception], None]) -> None:
        self.operations, self.runs, self.crashed = operations, runs, crashed
        self.lookout = Lookout(operations.snapshot, crashed)
        self._redact = operations.redactor()
        self.pages = Pages(self.redact)

    def redact(self, text: str) -> str:
        """Hide the secrets of all services, as the settings have them now."""
        return self._redact(text)

    def heed_settings(self) -> None:
        """Take the secrets from the present settings."""
        self._redact = self.operations.redactor()

    def frame(self, request: Request) -> Frame:
        return Frame(request.state.nonce, LINKS, live=True)

    def page(self, request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """Return a page of a template."""
        return html(self.pages.render(template, self.frame(request), **values), status)

    def told(self, request: Request, status: int, message: str, hint: str = "") -> Response:
        """Return a page with the message of a problem."""
        return self.page(request, "problem.html", status, message=message, hint=hint)

    def not_ours(self, request: Request) -> Response:
        """Answer for a form that no page of this server has."""
        return self.told(request, HTTPStatus.FORBIDDEN, "No page of this dashboard has this form.", "Open it again.")

    async def explained(self, request: Request, error: Exception) -> Response:
        """Answer for an error that the package can explain."""
        message, _, hint = str(error).partition("\n  ")
        return self.told(request, HTTPStatus.SERVICE_UNAVAILABLE, message, hint)

    async def defect(self, request: Request, error: Exception) -> Response:
        """Answer for a defect, and show it on the terminal."""
        self.crashed(error)
        hint = "The terminal shows it. Hosts finish what they began: `rollback-ops list` shows what is live."
        return self.told(request, HTTPStatus.INTERNAL_SERVER_ERROR, "This is a defect in rollback-ops.", hint)


def html(text: str, status: int = HTTPStatus.OK, *, incomplete: bool = False) -> Response:
    """Return a page. One that is ``incomplete`` is loaded again, without a script."""
    return HTMLResponse(text, status, headers={"Refresh": "1"} if incomplete else None)


def to_run(run: Run) -> Response:
    """Lead to the page of a run."""
    return RedirectResponse(f"/runs/{run.number}", HTTPStatus.SEE_OTHER)


def about(request: Request) -> dict[str, str]:
    """Return the environment and the service that an address names."""
    return {key: request.query_params.get(key, "") for key in ("environment", "service")}
