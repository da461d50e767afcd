"""The last look at all hosts. A page starts a new one when the last one is old; two never run at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rollback_ops.commands.dashboard import Snapshot
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen

# Seconds. A page that is loaded again within this time asks no host.
FRESH = 10.0


@frozen
class Seen:
    """The result of the last look. ``looking``: a new look is under way. ``problem``: why the last look failed."""

    snapshot: Snapshot | None = None
    looking: bool = False
    problem: RollbackOpsError | None = None


class Lookout:
    """Looks at all hosts on a thread of its own, so that pages can answer before the slowest host does."""

    def __init__(
        self,
        look: Callable[[], Snapshot],
        crashed: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._crashed, self._clock = look, crashed, clock
        self._seen = Seen()
        self._at = float("-inf")
        self._done = threading.Event()
        self._lock = threading.Lock()

    def see(self, wait: float, *, again: bool = False) -> Seen:
        """Return the result of the last look, after a new one if that is due, or requested with ``again``.

        A look that takes longer than ``wait`` seconds goes on in the background.
        """
        with self._lock:
            due = again or self._seen.problem is not None or self._clock() - self._at > FRESH
            if due and not self._seen.looking:
                self._seen = Seen(self._seen.snapshot, looking=True)
                self._done = threading.Event()
                threading.Thread(target=self._begin, args=(self._done,), daemon=True).start()
            done = self._done
        if self._seen.looking:
            done.wait(wait)
        return self._seen

    def forget(self) -> None:
        """Make the next page look again, because something was changed."""
        self._at = float("-inf")

    def _begin(self, done: threading.Event) -> None:
        began = self._clock()
        try:
            seen = Seen(self._look())
        except RollbackOpsError as error:
            seen = Seen(self._seen.snapshot, problem=error)
        except Exception as error:
            seen = Seen(self._seen.snapshot, problem=RollbackOpsError("a defect in rollback-ops: see the terminal"))
            self._crashed(error)
        with self._lock:
            self._seen, self._at = seen, began
        done.set()
