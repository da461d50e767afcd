"""Puts the server together, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rollback_ops.core.tasks import Cancellation
from rollback_ops.web.server.app import application
from rollback_ops.web.server.forms import FormSigner
from rollback_ops.web.server.operations import Operations, Scope
from rollback_ops.web.server.runs import Runs
from rollback_ops.web.server.security import ENTRANCE, LOOPBACK
from rollback_ops.web.server.serving import listen, open_browser, opens_browsers, serving, wait_for_end
from rollback_ops.web.server.sessions import Sessions
from rollback_ops.web.server.site import Site

__all__ = ["Operations", "Scope", "browser", "serve"]


def serve(
    operations: Operations,
    port: int | None,
    cancellation: Cancellation,
    opened: Callable[[str], None],
    tell: Callable[[str], None],
    crashed: Callable[[Exception], None],
) -> int:
    """Serve until a signal comes. Returns the exit code.

    ``opened`` gets the link when the server answers; ``tell`` gets what the terminal should show.
    Raises ``UsageError`` for settings that are wrong, ``Refused`` for a port that cannot be used.
    """
    operations.check()
    sessions, runs = Sessions(), Runs(crashed)
    site = Site(operations, runs, crashed)
    listener = listen(port)
    bound = listener.getsockname()[1]
    with serving(application(site, sessions, FormSigner(), bound), listener):
        opened(f"http://{LOOPBACK}:{bound}{ENTRANCE}{sessions.link_token}")
        return wait_for_end(runs, cancellation, tell)


def browser(link: str, environ: Mapping[str, str]) -> bool:
    """Open the person's browser where one can be expected. Returns whether that worked."""
    return opens_browsers(environ) and open_browser(link)
