"""The request for a target, and the answers other than a plan: nothing to do, or a refusal with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from rollback_ops.core.frozen import frozen
from rollback_ops.core.order import Order
from rollback_ops.core.text import one_line, short


@frozen
class Unfinished:
    """A rollback that has not reached all of its hosts. ``lacking`` are those that may not run its target."""

    run: str
    target: str
    lacking: tuple[str, ...]


@frozen
class Selection:
    """The request for a target. An empty field asks for nothing. ``resume``: only finish interrupted rollbacks.

    ``order``: that of the releases; None: the one that their names have. ``unfinished``: a rollback to go on with.
    ``ignore_deploy_lock``: go on even where a deployment is under way.
    ``automatic``: no person chooses, so nobody can say that a release of which nothing is known is the right one.
    ``forward``: the release from which a drill started that is open on every host.
    ``again``: every host may run the ``backup`` already; then they are only verified.
    """

    backup: str = ""
    if_current: str = ""
    emergency: bool = False
    resume: bool = False
    order: Order | None = None
    unfinished: Unfinished | None = None
    ignore_deploy_lock: bool = False
    automatic: bool = False
    forward: str = ""
    again: bool = False

    def anew(self, if_current: str = "", *, automatic: bool = False) -> Selection:
        """Return the selection of an automatic rollback: it names no target."""
        return replace(
            Selection(order=self.order, ignore_deploy_lock=self.ignore_deploy_lock),
            if_current=if_current,
            automatic=automatic or self.automatic,
        )


@frozen
class Rejected:
    release: str
    why: str


@frozen
class NothingToDo:
    why: str


@frozen
class Refusal:
    """Nothing is changed. ``hosts`` has the reason of each host, where they differ.

    ``lasting``: waiting would not help.
    """

    why: str
    hint: str = ""
    rejected: tuple[Rejected, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    eligible: tuple[str, ...] = ()
    lasting: bool = False

    def about(self, host: str) -> str:
        """Return the reason and the hint for one host."""
        return "\n  ".join(filter(None, (self.hosts.get(host, self.why), self.hint)))


def shown(name: str) -> str:
    """Show a name that was typed as one bounded line."""
    return one_line(short(name, 128))
