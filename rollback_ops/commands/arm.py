"""``arm`` and ``confirm``: hosts go back by themselves after a deployment, unless somebody confirms it in time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.run import info_of
from rollback_ops.config.reason import Reason
from rollback_ops.core.errors import Cancelled, Exit, Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Armed, ArmOrder, Survey
from rollback_ops.core.ports import Host
from rollback_ops.core.run import rfc3339
from rollback_ops.core.tasks import Cancellation, each

# Seconds, without ``--for``.
_USUAL = 600.0


@frozen
class Arming:
    """The result of ``arm``. ``armed``: the hosts that go back by themselves. ``bare``: hosts without a live release.

    ``lost``: why a host could not be armed. Then no host is armed, except those that it names as possibly armed.
    """

    environment: str
    armed: Mapping[str, Armed]
    bare: tuple[str, ...]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


@frozen
class Confirmation:
    """The result of ``confirm``. ``confirmed``: the hosts that were armed, and stay as they are."""

    environment: str
    confirmed: tuple[str, ...]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def arm(context: Context, cancellation: Cancellation) -> Arming:
    """Arm every host, or none. A host without a live release cannot go back, and is left out."""
    context.refuse_limits()
    order, environment = _order(context), context.job.environment_name
    with context.closing():
        surveyed = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        bare = tuple(name for name, survey in surveyed.found.items() if survey.live.state == "missing")
        lost = dict(surveyed.lost) | {n: why for n, s in surveyed.found.items() if n not in bare and (why := _unfit(s))}
        if lost:
            return Arming(environment, {}, bare, lost)
        hosts = {host.name: host for host in context.hosts if host.name not in bare}
        try:
            done = sort_answers(each(hosts, lambda name: hosts[name].arm(order), SURVEY_WITHIN, cancellation))
        except Cancelled:
            _take_back(hosts, order)
            raise
        if done.lost:
            return Arming(environment, {}, bare, {**done.lost, **_take_back(hosts, order)})
    return Arming(environment, done.found, bare, {})


def confirm(context: Context, cancellation: Cancellation) -> Confirmation:
    """Keep the live release on every host. The result names hosts that were not armed, or went back already."""
    context.refuse_limits()
    with context.closing():
        surveyed = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in surveyed.found}

        def do(name: str) -> str:
            if not hosts[name].confirm():
                raise Refused(f"{name}: it is not armed", "; ".join(surveyed.found[name].notes))
            return name

        done = sort_answers(each(hosts, do, SURVEY_WITHIN, cancellation))
    return Confirmation(context.job.environment_name, tuple(done.found), {**surveyed.lost, **done.lost})


def _take_back(hosts: Mapping[str, Host], order: ArmOrder) -> dict[str, RollbackOpsError]:
    """Disarm every host, also those that did not answer: they may be armed. Returns those that may still be."""
    undone = sort_answers(each(hosts, lambda name: hosts[name].confirm(order.run), SURVEY_WITHIN, Cancellation()))
    hint = "Run `rollback-ops confirm` when it can be reached."
    return {
        name: Refused(f"{name}: it may be armed until {order.until}: {error.without(name)}", hint)
        for name, error in undone.lost.items()
    }


def _unfit(survey: Survey) -> Refused | None:
    """Return why a host could not go back by itself; None when it could."""
    if survey.blockers:
        return Refused(f"{survey.host}: {'; '.join(survey.blockers)}")
    if survey.live.state != "release":
        return Refused(f"{survey.host}: current leads to no release, so there is none to go back to")
    return None


def _order(context: Context) -> ArmOrder:
    seconds = _USUAL if context.request.span is None else context.request.span
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    info = replace(info_of(context, Reason("")), trigger="unconfirmed")
    reason = f"automatic: the deployment that {info.actor} armed was not confirmed until {rfc3339(until)}"
    info = replace(info, reason=context.redact(reason))
    intent = json.dumps({"event": "intent", **info.facts()}, separators=(",", ":"))
    policy = context.job.service.hold
    hold = {"by": info.actor, "reason": info.reason, "lifted_by": "", "lifted_because": ""}
    head = f"{json.dumps(hold, separators=(',', ':'))[:-1]}\t{policy.seconds:.0f}\t{policy.after_rollback}"
    held = "" if policy.after_rollback == "none" else head
    return ArmOrder(info.id, seconds, rfc3339(until), info.actor, info.run_url, intent[:-1], held)
