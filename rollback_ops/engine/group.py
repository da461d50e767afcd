"""The rollback of a group: all services are checked before any is changed, then they are changed step by step.

A host is changed in a transaction, a group is not: when a service fails, no other one is changed, and the record says
which release each service runs. With ``restores``, changed services go back to where they started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

from rollback_ops.core import group as told
from rollback_ops.core.errors import Cancelled, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.group_plan import GroupPlan
from rollback_ops.core.plan import HostPlan, NothingToDo, Plan, Refusal
from rollback_ops.core.ports import Announcer, Progress
from rollback_ops.core.record import GroupRecord, Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.run import Attempt, rfc3339
from rollback_ops.core.services import Steps
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.verified_set import ServiceChoices, Target, VerifiedSet, Version, options
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.group_choice import GroupSpec, choose, idle_group, refusal, steps_of
from rollback_ops.engine.group_resuming import store, take_up
from rollback_ops.engine.rollback import Rollback
from rollback_ops.engine.spec import RollbackSpec

_UNTIL_THEY_END = float("inf")


class GroupRollback:
    """One rollback of a group. ``services`` has the request for each of its services, and its hosts."""

    def __init__(
        self,
        spec: GroupSpec,
        services: Mapping[str, tuple[RollbackSpec, Fleet]],
        announcer: Announcer,
        progress: Progress,
        cancellation: Cancellation,
    ) -> None:
        self._spec = spec
        self._services = {n: Rollback(one, fleet, _SilentAnnouncer(self, n)) for n, (one, fleet) in services.items()}
        for name, run in self._services.items():
            run.state.blameless = bool(spec.accused) and name not in spec.accused
        self._announcer = announcer
        self._progress = progress
        self._cancellation = cancellation
        self._changing: dict[str, Record] = {}
        self._telling = Lock()
        self._steps: Steps = ()
        self._plan: GroupPlan | None = None
        self._warnings: list[str] = []
        self._note(GroupRecord(name=spec.name, run=spec.run))

    def roll_back(self) -> Record:
        """Roll the services back. Never raises: the record has the outcome."""
        try:
            self._prepare()
            if not self._refuse_together():
                self._carry_out()
        except Cancelled as cancelled:
            for one in self._services.values():
                one.state.cancelled = one.state.cancelled or cancelled.exit_code
        finally:
            for one in self._services.values():
                one.fleet.release()
        return self._record()

    def changing(self, service: str, record: Record) -> None:
        """Tell others that a service is about to be changed: the record that holds if the program is killed."""
        # Services of one step begin at the same time: the last one to be told must have all that began before.
        with self._telling:
            self._changing[service] = record
            records = {name: self._changing.get(name) or record_of(run.state) for name, run in self._services.items()}
            group = told.with_services(self._group, records)
            self._announcer.changing(told.group_record(group, list(records.values()), self._warnings))

    def _prepare(self) -> None:
        """Survey all services, choose one set of releases, and run all preflight checks before any stop."""
        self._each(self._services, Rollback.survey)
        self._each(self._services, Rollback.wait)
        surveyed = {n: list(r.state.surveys.values()) for n, r in self._services.items()}
        found = {n: options(surveyed[n], replace(r.spec.selection, backup="")) for n, r in self._services.items()}
        target = self._take_up() if self._spec.resumes else choose(self._spec, found, self._journals)
        if isinstance(target, NothingToDo | Refusal):
            for run in self._services.values():
                run.state.decision = target
            return
        self._warnings += target.warnings
        self._note(self._group.model_copy(update={"verified_set": target.verified_by or None}))
        going = [name for name in self._services if not self._stays(name, found[name], target)]
        self._each(going, Rollback.plan)

    def _take_up(self) -> Target | Refusal | NothingToDo:
        """Go on with the group's last plan, and each service with its waves."""
        plan = take_up(self._spec, self._services)
        if not isinstance(plan, GroupPlan):
            return plan
        self._plan = plan
        self._progress.phase("resume", f"the rollback {plan.run} of {self._spec.name}")
        self._each(self._services, Rollback.take_up_waves)
        return Target({name: service.target for name, service in plan.services.items()})

    def _journals(self) -> Iterator[str]:
        for run in self._services.values():
            for lines in run.fleet.journals(run.state.surveys).values():
                yield from lines

    def _stays(self, name: str, found: ServiceChoices, target: Target) -> bool:
        """Give a service its target. One that runs it already is only verified."""
        run, label = self._services[name], target.labels.get(name, "")
        surveys = list(run.state.surveys.values())
        if not label or not found.runs(label) or any(survey.interrupted for survey in surveys):
            run.spec = replace(run.spec, selection=replace(run.spec.selection, backup=label))
            return False
        why = f"{label} is live there already"
        hosts = tuple(HostPlan(s.host, s.live, "leave", s.live.name, why) for s in surveys)
        run.state.decision = plan = Plan(label, found.revisions.get(label, ""), hosts)
        if not run.spec.info.dry_run and not self._spec.emergency:
            run.attempt = Attempt(plan)
        return True

    def _refuse_together(self) -> bool:
        """Refuse all services where one of them is refused or has nothing to do. Returns whether that is so."""
        decisions = {name: run.state.decision for name, run in self._services.items()}
        refusals = {name: one for name, one in decisions.items() if isinstance(one, Refusal)}
        idle = {name: one for name, one in decisions.items() if isinstance(one, NothingToDo)}
        if not refusals and not idle:
            return False
        whole = refusal(self._spec, refusals) if refusals else idle_group(self._spec, idle)
        for name, run in self._services.items():
            run.attempt = None
            if name not in refusals:
                run.state.decision = whole
        return True

    def _carry_out(self) -> None:
        """Change the services step by step, until all are done or one has failed."""
        self._steps = self._order()
        self._note(self._group.model_copy(update={"steps": self._steps}))
        if any(run.attempt for run in self._services.values()) and not self._spec.emergency:
            self._warnings += store(self._spec, self._services, self._plan)
        begun: list[tuple[str, ...]] = []
        for step in self._steps:
            going = [name for name in step if self._services[name].attempt]
            if not going:
                continue
            begun.append(step)
            self._progress.phase("service", f"{', '.join(going)} of {self._spec.name}")
            self._each(going, _change, finish=True)
            for name in going:
                self._changing.pop(name, None)
            self._cancellation.check()
            if failed := [host for name in going for host in told.failed_hosts(record_of(self._services[name].state))]:
                self._stop(f"{', '.join(failed)} failed", begun)
                return

    def _order(self) -> Steps:
        if self._spec.emergency:
            self._warnings.append("the order of the services was ignored (emergency): all at the same time")
        plans = (run.state.decision for run in self._services.values())
        return steps_of(self._spec, self._services, (plan for plan in plans if isinstance(plan, Plan)))

    def _stop(self, why: str, begun: Sequence[tuple[str, ...]]) -> None:
        """Begin no other service. Those that were changed go back, where the settings say so, in the other order."""
        self._note(self._group.model_copy(update={"stopped": why}))
        self._progress.phase("stop", why)
        if self._spec.restores:
            for step in reversed(begun):
                self._each(step, lambda run: run.go_back(why), finish=True)

    def _record(self) -> Record:
        """Write the records of the services, and the set where it was verified together. Returns the group's record."""
        drafts = {name: record_of(run.state) for name, run in self._services.items()}
        self._note(told.with_services(self._group, drafts))
        records = [run.record() for run in self._services.values()]
        if self._all_healthy():
            versions = {name: _target_of(run) for name, run in self._services.items()}
            fleets = {name: (run.fleet, list(run.state.surveys)) for name, run in self._services.items()}
            self._warnings += note_set(self._spec, versions, fleets)
        return told.group_record(self._group, records, self._warnings)

    def _all_healthy(self) -> bool:
        last = {name: run.state.attempts[-1] for name, run in self._services.items() if run.state.attempts}
        hosts = {name: run.state.host_names for name, run in self._services.items()}
        whole = len(last) == len(hosts) and not any(attempt.goes_back for attempt in last.values())
        return whole and all(last[n].serves(host) for n, one in hosts.items() for host in one)

    def _note(self, group: GroupRecord) -> None:
        self._group = group
        for run in self._services.values():
            run.state.group = group

    def _each(self, names: Iterable[str], work: Callable[[Rollback], None], *, finish: bool = False) -> None:
        """Do the work for several services at the same time. Raises ``Cancelled``."""
        for found in each(
            names, lambda n: work(self._services[n]), _UNTIL_THEY_END, self._cancellation, finish=finish
        ).values():
            if isinstance(found, RollbackOpsError):
                # Only a signal ends the wait. A transaction that is not done by then goes on on its host.
                self._cancellation.check()
                raise found


def _change(run: Rollback) -> None:
    """Change one service under its own deadline. After a signal, its state says that it was cancelled."""
    run.fleet.renew(run.spec.limits.total)
    try:
        run.carry_out()
    except Cancelled as cancelled:
        run.state.cancelled = cancelled.exit_code


def _target_of(run: Rollback) -> Version:
    plan = run.state.attempts[-1].plan
    return Version(plan.release or plan.target_on(run.fleet.names[0]), plan.revision)


def note_set(
    spec: GroupSpec, versions: Mapping[str, Version], fleets: Mapping[str, tuple[Fleet, Sequence[str]]]
) -> list[str]:
    """Note in the journals of all hosts which releases were verified together. Returns warnings."""
    line = VerifiedSet(spec.run, spec.name, spec.environment, rfc3339(datetime.now(UTC)), versions).line()
    return [
        f"{name}: {host} could not store which releases were verified together: {error.without(host)}"
        for name, (fleet, hosts) in fleets.items()
        for host, error in fleet.note(spec.run, hosts, line).items()
    ]


@frozen
class _SilentAnnouncer:
    """The announcer of one service. It announces nothing: the group announces all services together."""

    group: GroupRollback
    service: str

    def changing(self, provisional: Record, /) -> None:
        self.group.changing(self.service, provisional)

    def at_work(self) -> None:
        """Do nothing: a group does not list the commits that leave."""

    def changed(self) -> None:
        """Do nothing: the deployments are recorded when the group has ended."""
