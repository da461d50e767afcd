"""Server-sent events: lines of progress as they happen. Pages are complete without them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from rollback_ops.commands.follow import Following
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.web.server.runs import Run, Told

Lines = AsyncIterator[str]

TYPE = "text/event-stream"

# Seconds.
_LOOK_EVERY = 0.2
_ASK_HOSTS_EVERY = 2.0
# Seconds between comments. Without them, the server would not notice that a browser has gone.
_SIGN_OF_LIFE_EVERY = 15.0
_DONE = "event: done\ndata: \n\n"


def last_heard(headers: Headers) -> int:
    """Return the number of the last line that the browser has, which it sends when it connects again."""
    number = headers.get("last-event-id", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


async def of_run(run: Run, line: Callable[[Told], str], after: int) -> Lines:
    """Yield the lines of a run that come after one, as pages show them, until the run is done."""
    heard_at = time.monotonic()
    while True:
        done = run.done.is_set()
        for told in run.since(after):
            after, heard_at = told.number, time.monotonic()
            yield f"id: {told.number}\nevent: told\ndata: {json.dumps(line(told))}\n\n"
        if done:
            yield _DONE
            return
        if time.monotonic() - heard_at > _SIGN_OF_LIFE_EVERY:
            heard_at = time.monotonic()
            yield ": still running\n\n"
        await anyio.sleep(_LOOK_EVERY)


async def of_hosts(follow: Callable[[], Following], part: Callable[[Following], str]) -> Lines:
    """Yield the runs on the hosts, each time that they changed, until there is none.

    Hosts that do not answer for a moment do not end this.
    """
    shown = ""
    while True:
        began = time.monotonic()
        try:
            found = await run_in_threadpool(follow)
        except RollbackOpsError:
            yield ": no host answers\n\n"
        else:
            if not found.runs and not found.lost:
                yield _DONE
                return
            now = part(found)
            yield ": nothing new\n\n" if now == shown else f"event: changed\ndata: {json.dumps(now)}\n\n"
            shown = now
        # Many hosts, or slow ones, are asked less often.
        await anyio.sleep(max(_ASK_HOSTS_EVERY, 2 * (time.monotonic() - began)))
