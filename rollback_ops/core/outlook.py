"""Estimates from earlier deployments: a base rate, reference classes, and perhaps one number. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from rollback_ops.core.deployments import PastDeployment, Rate
from rollback_ops.core.frozen import frozen
from rollback_ops.core.prediction import LEAST_CASES, LEAST_FAILURES, Case, ReportCard, fit, report_card

# A class with fewer cases says nothing.
LEAST_OF_A_CLASS = 10
_SIZES = ((10, "adds fewer than 10 lines"), (100, "adds 10 to 99 lines"), (1000, "adds 100 to 999 lines"))
_LARGEST = "adds 1,000 lines or more"
_SOON = 3600.0


@frozen
class Outlook:
    """``base``: None without a deployment. ``chance``: None where ``why_none`` says why. ``card``: None: too few."""

    base: Rate | None
    classes: tuple[Rate, ...] = ()
    chance: float | None = None
    card: ReportCard | None = None
    why_none: str = ""


def look_ahead(past: Sequence[PastDeployment], planned: PastDeployment | None) -> Outlook:
    """Estimate how a planned deployment ends (None: deployments in general)."""
    if not past:
        return Outlook(None, why_none="not enough history: no deployment is known")
    base = Rate("all deployments", sum(each.failed for each in past), len(past))
    classes = tuple(_classes(past, planned)) if planned else ()
    cases = [Case(each.added, each.failed) for each in past if each.added is not None]
    failures = sum(case.failed for case in cases)
    if len(cases) < LEAST_CASES or failures < LEAST_FAILURES:
        needed = f"it takes {LEAST_CASES} deployments of known size and {LEAST_FAILURES} failures among them"
        why = f"not enough history: {needed}, and there are {len(cases)} and {failures}"
        return Outlook(base, classes, why_none=why)
    card = report_card(cases)
    if card is None or card.skill <= 0:
        return Outlook(
            base, classes, card=card, why_none="a number from the size was no better than the base rate so far"
        )
    if planned is None or planned.added is None:
        return Outlook(base, classes, card=card, why_none="the size of the change is not known")
    return Outlook(base, classes, fit(cases).chance(planned.added), card)


def _classes(past: Sequence[PastDeployment], planned: PastDeployment) -> Iterable[Rate]:
    """Yield the classes to which the planned deployment belongs, without those that are too small to say anything."""
    for kind in (_size, _weekday, _haste, _repair):
        name = kind(planned)
        alike = [each for each in past if name and kind(each) == name]
        if len(alike) >= LEAST_OF_A_CLASS:
            yield Rate(name, sum(each.failed for each in alike), len(alike))


Kind = Callable[[PastDeployment], str]


def _size(deployment: PastDeployment) -> str:
    if deployment.added is None:
        return ""
    return next((name for limit, name in _SIZES if deployment.added < limit), _LARGEST)


def _weekday(deployment: PastDeployment) -> str:
    late = datetime.fromtimestamp(deployment.at, UTC).weekday() >= 4
    return "Friday to Sunday (UTC)" if late else "Monday to Thursday (UTC)"


def _haste(deployment: PastDeployment) -> str:
    if deployment.gap is None:
        return ""
    return "within an hour of the one before" if deployment.gap < _SOON else "more than an hour after the one before"


def _repair(deployment: PastDeployment) -> str:
    return "after one that failed" if deployment.after_failure else "after one that did not fail"
