"""``guard --rehearse``: replay the metrics of the past, and count how often a healthy release would have gone back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from functools import partial

from rollback_ops import checks
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.run import bucketed, fetched
from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import Exit, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import ServiceId, Survey
from rollback_ops.core.order import live_at
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.engine import rehearsal as engine
from rollback_ops.engine.analysis.series import Series

_LEAST_TICKS = 2


@frozen
class Rehearsed:
    """The result of a rehearsal. ``lost``: hosts whose deployments are not known, so that it may include some."""

    environment: str
    rehearsal: engine.Rehearsal
    lost: Mapping[str, RollbackOpsError] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return Exit.OK if self.rehearsal.trials else Exit.REFUSED


def rehearse(context: Context, cancellation: Cancellation) -> Rehearsed:
    """Replay what Prometheus has kept. Asks the hosts only when something was made live. Changes nothing.

    Raises ``UsageError`` when no metric has a past, or when the window is too short; ``Cancelled`` when a signal comes.
    """
    request = context.request
    metrics = {n: _with(m, request.window) for n, m in checks.metrics(context.job.service.checks).items()}
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in answers.found}
        journals = sort_answers(each(hosts, lambda name: hosts[name].journal(), SURVEY_WITHIN, cancellation))
    made = {*_deployments(answers.found.values()), *_changes(journals.found.values(), context.job.about)}
    now, seconds = time.time(), request.rehearse or 0.0
    found = engine.rehearse(
        metrics, partial(_past, context), partial(_buckets, context), now, seconds, sorted(made), cancellation.check
    )
    return Rehearsed(request.environment, found, {**answers.lost, **journals.lost})


def _past(context: Context, check: MetricCheck, query: str, seconds: float, at: float) -> Series:
    return fetched(context, check, query, seconds, at)


def _buckets(context: Context, check: MetricCheck, query: str, seconds: float, at: float) -> Mapping[float, Series]:
    return bucketed(context, check, query, seconds, at)


def _with(check: MetricCheck, window: float | None) -> MetricCheck:
    if window is None:
        return check
    if window < _LEAST_TICKS * check.tick:
        raise UsageError(
            f"--window ({window:g}s) is shorter than {_LEAST_TICKS} ticks ({check.tick:g}s each)",
            "Give a longer one.",
        )
    return check.model_copy(update={"window": window})


def _deployments(surveys: Iterable[Survey]) -> Iterator[float]:
    """Yield when releases were made, and when they became live, as far as the hosts know."""
    for survey in surveys:
        for release in survey.releases:
            yield from filter(None, (live_at(release), release.live_since))


def _changes(journals: Iterable[Sequence[str]], about: ServiceId) -> Iterator[float]:
    """Yield when rollbacks made another release live."""
    for lines in journals:
        for record in read_journal(lines, about)[0]:
            if record.rolled_back:
                yield datetime.fromisoformat(record.started_at).timestamp()
