"""``hold``: hold deployments for a while, lift all holds, or show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import Exit, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.hold import lift, merged, repairs, standing
from rollback_ops.core.model import Hold, Survey
from rollback_ops.core.run import new_run
from rollback_ops.core.tasks import Cancellation, each


@frozen
class Held:
    """The holds that the hosts have, the latest first. ``lost``: the hosts that could not be read, or not written to.

    ``done``: what the command did. ``now`` is in seconds since the epoch.
    """

    environment: str
    holds: Sequence[Hold]
    lost: Mapping[str, RollbackOpsError]
    done: Literal["shown", "set", "lifted"]
    now: float

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def hold(context: Context, cancellation: Cancellation) -> Held:
    """Set a hold on everything, lift all holds, or only show them. Afterwards all hosts have the same holds.

    Raises ``UsageError`` when a hold is to be set or lifted without a reason, and ``Refused`` without the permission.
    """
    request = context.request
    if request.lift and request.span is not None:
        raise UsageError("--lift ends all holds, so it takes no --for", "Leave one of them out.")
    done: Literal["shown", "set", "lifted"] = "shown"
    if request.lift or request.reason or request.span is not None:
        done = "lifted" if request.lift else "set"
        context.refuse_limits()
        _ = context.reason
        context.check_permission()
    with context.closing():
        found = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        surveys, now = list(found.found.values()), datetime.now(UTC).timestamp()
        holds = merged(surveys)
        if done == "set":
            holds = (_new(context, now), *holds)
        elif done == "lifted":
            why = context.redact(context.reason.text)
            ends = {each.id: lift(each, request.actor, why, now) for each in standing(holds, now)}
            holds = tuple(ends.get(each.id, each) for each in holds)
        lost = {**found.lost, **_written(context, surveys, holds, now, cancellation)}
    return Held(context.job.environment_name, holds, lost, done, now)


def _new(context: Context, now: float) -> Hold:
    span = context.job.service.hold.seconds if context.request.span is None else context.request.span
    return Hold(new_run(), context.request.actor, context.redact(context.reason.text), now, now + span)


def _written(
    context: Context, surveys: Sequence[Survey], holds: Sequence[Hold], now: float, cancellation: Cancellation
) -> Mapping[str, RollbackOpsError]:
    """Write to each host the holds that it lacks. Returns the errors, by host."""
    wanted = {survey.host: found for survey in surveys if any(found := repairs(survey, holds, now))}
    hosts = {host.name: host for host in context.hosts if host.name in wanted}
    return sort_answers(
        each(hosts, lambda name: hosts[name].write_holds(*wanted[name]), SURVEY_WITHIN, cancellation)
    ).lost
