"""The order of the services of a group. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

Steps = tuple[tuple[str, ...], ...]


def start_steps(services: Sequence[str], after: Mapping[str, Sequence[str]] | None) -> Steps:
    """Return the steps in which the services start. Those of one step start at the same time.

    ``after`` maps a service to those that start before it; None: each starts after the one that is listed before it.
    Raises ``ValueError`` where services wait for each other; the text names them.
    """
    if after is None:
        return tuple((service,) for service in services)
    sorter = TopologicalSorter({service: after.get(service, ()) for service in services})
    try:
        sorter.prepare()
    except CycleError as error:
        # The nodes of the error follow each other against the direction of ``after``.
        raise ValueError(" → ".join(reversed(error.args[1]))) from None
    steps: list[tuple[str, ...]] = []
    while ready := sorter.get_ready():
        steps.append(tuple(sorted(ready, key=services.index)))
        sorter.done(*ready)
    return tuple(steps)


def change_steps(start: Steps, *, forward: bool) -> Steps:
    """Return the steps in which the services are changed: to newer releases as they start, else dependents first."""
    return start if forward else start[::-1]
