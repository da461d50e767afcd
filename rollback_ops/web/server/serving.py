"""Runs the server: its port, the browser, and the end, also while rollbacks are running."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from rollback_ops.core.errors import Refused
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web.server.runs import Runs
from rollback_ops.web.server.security import LOOPBACK

USUAL_PORT = 8642
_LOOK_EVERY = 0.05
# Seconds for pages that are still being written when the server ends.
_LAST_PAGES = 1


def listen(port: int | None) -> socket.socket:
    """Listen on loopback, on this port. None: the usual one, or any that is free.

    Raises ``Refused`` when the port cannot be used.
    """
    try:
        return socket.create_server((LOOPBACK, USUAL_PORT if port is None else port))
    except OSError as error:
        if port is None:
            return socket.create_server((LOOPBACK, 0))
        kept = isinstance(error, PermissionError)
        why = "The system keeps low ports for root." if kept else "Another dashboard may be running."
        hint = f"{why} Name another port with --port, or leave --port out."
        # socket adds the address to what the system says.
        told = os.strerror(error.errno) if error.errno else str(error)
        raise Refused(f"port {port} on {LOOPBACK} cannot be used: {told}", hint) from None


def opens_browsers(environ: Mapping[str, str]) -> bool:
    """Return whether a browser can be expected. One in the terminal would take the terminal away."""
    return sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_browser(address: str) -> bool:
    """Open the person's browser. Returns whether one was found."""
    import webbrowser

    try:
        return webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return False


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Answer requests on another thread until the ``with`` block ends. Nothing is logged: an address has the token."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        # The client is the other end of the connection, whatever a header says.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_PAGES,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(_LOOK_EVERY)
        yield
    finally:
        server.should_exit = True
        thread.join(_LAST_PAGES * 5)
        listener.close()


def wait_for_end(runs: Runs, cancellation: Cancellation, tell: Callable[[str], None]) -> int:
    """Wait for the signal that ends the server. Returns the exit code.

    Rollbacks that are running are told to stop: no new wave begins, and hosts finish what they began.
    """
    while not cancellation.wait(60.0):
        pass
    going_on = runs.going_on
    for run in going_on:
        tell(f"still running: the {run.name}. Each host finishes what it began, and no new wave begins.")
        run.cancellation.ask(cancellation.signal, cancellation.leave_at - time.monotonic())
    for run in going_on:
        run.done.wait(max(0.0, cancellation.leave_at - time.monotonic()) + 1.0)
        ended = run.record.outcome.replace("_", " ") if run.record else run.error or "its outcome is unknown"
        tell(f"the {run.name}: {ended}. `rollback-ops list {run.form.environment}` shows what is live.")
    return 128 + cancellation.signal if going_on else os.EX_OK
