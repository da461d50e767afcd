"""The commands: each wires the parts together, runs them, and shows what came of it. All return an exit code."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from rollback_ops import checks
from rollback_ops.cli import exit as endings
from rollback_ops.cli.actions import step
from rollback_ops.cli.output import documents, terminal, text
from rollback_ops.cli.output.text import Line
from rollback_ops.commands.context import Context
from rollback_ops.config.reason import Reason
from rollback_ops.core import tasks
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError
from rollback_ops.core.health import Verification
from rollback_ops.core.model import Survey
from rollback_ops.core.outcome import EXIT_CODES, overall, record_of
from rollback_ops.core.plan import Refusal, Selection, make_plan
from rollback_ops.core.ports import Host
from rollback_ops.core.record import HostOutcome, Record
from rollback_ops.core.run import RunInfo, RunState, new_run
from rollback_ops.core.tasks import Cancellation, Pending
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.guard import guard
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.engine.verify import verify
from rollback_ops.integrations.publish import Publisher, warned

if TYPE_CHECKING:
    from rollback_ops.integrations.github.permission import Permit

T = TypeVar("T")

# What may still be finished after the runner's SIGINT (its SIGTERM follows after 7.5 s), and after that (2.5 s).
_GRACE = {signal.SIGINT: 6.0, signal.SIGTERM: 1.5}
_LOOK_WITHIN = 12.0
_SEAL_WITHIN = 900.0


class Commands:
    """The commands for what is wired together; the survey of its hosts has begun already."""

    def __init__(self, wired: Context, survey: Pending[str, Survey], *, as_json: bool) -> None:
        self._wired = wired
        self._survey = survey
        self._as_json = as_json
        self._tidings = Publisher(wired.notifier(), wired.filing(), wired.hosts, wired.request.record)

    def rollback(self, reason: Reason, permit: Permit | None) -> int:
        """Where it is not permitted no host is contacted, and the record says so."""
        if permit and permit.refusal:
            return self._refused(reason, permit.refusal)
        return self._roll_back(reason, text.result, warning=permit.warning if permit else "")

    def check(self, reason: Reason) -> int:
        """A rollback up to the moment at which it would change something."""
        from rollback_ops.commands.install import stale

        found = self._survey.results(_LOOK_WITHIN, Cancellation())
        reached = [name for name, survey in found.items() if isinstance(survey, Survey)]
        warnings = filter(None, (reason.warning, *stale(self._wired, reached)))
        return self._roll_back(Reason(reason.text, "; ".join(warnings)), text.checked, quiet=True)

    def _refused(self, reason: Reason, refusal: Refused) -> int:
        wired, spec = self._wired, _spec(self._wired, reason)
        state = RunState(spec.info, [host.name for host in wired.hosts])
        state.decision = Refusal(refusal.message, refusal.hint)
        return self._ended(record_of(state), text.result)

    def _roll_back(
        self, reason: Reason, told: Callable[[Record], Iterable[Line]], *, warning: str = "", quiet: bool = False
    ) -> int:
        wired, spec = self._wired, _spec(self._wired, reason)
        progress = terminal.TerminalProgress(quiet=quiet, changing=self._tidings.begun, changed=self._tidings.changed)
        with _listening() as cancellation, closing(wired):
            fleet = Fleet(wired.hosts, self._survey, progress, cancellation, _total(wired))
            record = warned(roll_back(spec, fleet, progress), reason.warning, warning)
            return self._ended(record, told)

    def _ended(self, record: Record, told: Callable[[Record], Iterable[Line]]) -> int:
        step.ungroup()
        untold, record = record, self._tidings.ended(record)
        lines = list(told(record))
        first_aid = list(text.first_aid(record, self._wired.first_aid, local=self._wired.request.local))
        unshown = step.ended_with(record, text.top(lines, first_aid), self._wired.request.record)
        news = [why for why in record.warnings if why not in untold.warnings]
        terminal.show((Line(f"! {why}", "warning") for why in (*news, *unshown)), err=True)
        with endings.shown():
            self._show(record.model_dump(mode="json", by_alias=True), lines)
        terminal.show(first_aid, err=True)
        return record.exit_code

    def guard(self) -> int:
        """Watch what is live, and roll it back when it is not well."""
        wired, spec = self._wired, _spec(self._wired, Reason("guard: is what is live well?"))
        progress = terminal.TerminalProgress(changing=self._tidings.begun, changed=self._tidings.changed)
        with _listening() as cancellation, closing(wired):
            anew = partial(Fleet, wired.hosts, progress=progress, cancellation=cancellation, total=_total(wired))
            fleet = anew(survey=self._survey)
            most = wired.job.service.guard.max_per_day
            record = guard(spec, fleet, lambda: anew(survey=wired.look()), most, progress)
            return self._ended(record, text.guarded)

    def list(self) -> int:
        wired = self._wired
        with closing(wired):
            surveys, lost = _sorted_out(self._survey.results(_LOOK_WITHIN, Cancellation()))
        found = make_plan(list(surveys.values()), _selection(wired)) if surveys else Refusal("no host can be reached")
        if self._as_json:
            documents.show(documents.releases(wired.job.environment_name, surveys, found, lost))
        else:
            for survey in surveys.values():
                terminal.show(text.live(survey))
                terminal.table(*text.releases(survey, found, time.time()))
            terminal.show(text.decision(found))
        told = (*text.lost(lost), *text.listed(surveys.values(), found, time.time()))
        step.because((line.text for line in told), "Releases", wired.job.environment_name)
        return Exit.REFUSED if lost else Exit.OK

    def verify(self) -> int:
        wired = self._wired
        with _listening() as cancellation, closing(wired):
            surveys, lost = _sorted_out(self._survey.results(_LOOK_WITHIN, cancellation))
            hosts = {host.name: host for host in wired.hosts if host.name in surveys}
            prove = _prove(wired, hosts, surveys, cancellation)
            found, unproven = _sorted_out(tasks.each(hosts, prove, _verification(wired) + _LOOK_WITHIN, cancellation))
        lost |= unproven
        outcomes: dict[str, HostOutcome] = dict.fromkeys(lost, "unreachable")
        outcomes |= {name: "succeeded" if v.healthy else "verification_failed" for name, v in found.items()}
        outcome = overall(list(outcomes.values()))
        lines = [line for name, verification in found.items() for line in text.verified(name, verification)]
        step.because((line.text for line in (*text.lost(lost), *lines)), "Verification", wired.job.environment_name)
        self._show(documents.verification(wired.job.environment_name, outcome, outcomes, found), lines)
        return EXIT_CODES[outcome]

    def seal(self, release: str) -> int:
        with closing(self._wired):
            surveys, lost = _sorted_out(self._survey.results(_LOOK_WITHIN, Cancellation()))
            hosts = {host.name: host for host in self._wired.hosts if host.name in surveys}
            names = {name: release or survey.live.name for name, survey in surveys.items()}
            write = partial(_seal, hosts, names)
            sealed, unsealed = _sorted_out(tasks.each(hosts, write, _SEAL_WITHIN, Cancellation()))
        lost |= unsealed
        document = {"hosts": [{"host": h, "release": name, "files": n} for h, (name, n) in sealed.items()]}
        self._show(document, (Line(f"✓ {h}  {name} sealed: {n} files", "good") for h, (name, n) in sealed.items()))
        return Exit.REFUSED if lost else Exit.OK

    def _show(self, document: Mapping[str, Any], lines: Iterable[Line]) -> None:
        if self._as_json:
            documents.show(document)
        else:
            terminal.show(lines)


def _selection(wired: Context) -> Selection:
    request = wired.request
    return Selection(request.backup, request.if_current, request.emergency, request.resume)


def _spec(wired: Context, reason: Reason) -> RollbackSpec:
    request, job = wired.request, wired.job
    info = RunInfo(
        run=new_run(),
        service=job.service_name,
        environment=job.environment_name,
        mode=request.mode,
        trigger=request.trigger,
        reason=reason.text,
        actor=request.actor,
        run_url=request.run_url,
        dry_run=request.dry_run,
    )
    thresholds = checks.thresholds(job.service.checks, job.service.verify)
    return RollbackSpec(
        info,
        _selection(wired),
        partial(checks.build, job.service.checks),
        job.service.verify,
        thresholds,
        job.service.limits,
    )


def _total(wired: Context) -> float:
    limits = wired.job.service.limits
    return limits.emergency_total if wired.request.emergency else limits.total


def _verification(wired: Context) -> float:
    return wired.job.service.limits.verification


def _prove(
    wired: Context, hosts: Mapping[str, Host], surveys: Mapping[str, Survey], cancellation: Cancellation
) -> Callable[[str], Verification]:
    """Verify what is live on a host, and mark it as what it turned out to be."""
    run, service = new_run(), wired.job.service
    thresholds = checks.thresholds(service.checks, service.verify)

    def prove(name: str) -> Verification:
        release = surveys[name].live.name
        asked = checks.after(checks.build(service.checks, release))
        found = verify(hosts[name], asked, thresholds, _verification(wired), run, cancellation)
        if release:
            hosts[name].record(run, {release: "good" if found.healthy else "bad"}, "")
        return found

    return prove


def _seal(hosts: Mapping[str, Host], releases: Mapping[str, str], name: str) -> tuple[str, int]:
    if not releases[name]:
        raise Refused(f"{name}: no release is live", "Name the release to seal.")
    return releases[name], hosts[name].seal(releases[name])


def _sorted_out(results: Mapping[str, T | RollbackOpsError]) -> tuple[dict[str, T], dict[str, RollbackOpsError]]:
    """What worked and what did not; the latter is told of on stderr."""
    lost = {name: r for name, r in results.items() if isinstance(r, RollbackOpsError)}
    terminal.show(text.lost(lost), err=True)
    return {name: r for name, r in results.items() if not isinstance(r, RollbackOpsError)}, lost


@contextmanager
def _listening() -> Iterator[Cancellation]:
    """SIGINT and SIGTERM ask to stop; what a host has begun is still seen to its end, within a grace."""
    cancellation = Cancellation()
    for number in _GRACE:
        signal.signal(number, lambda n, _: cancellation.ask(n, _GRACE[signal.Signals(n)]))
    try:
        yield cancellation
    finally:
        # The record is out. What comes now could only break the end.
        for number in _GRACE:
            signal.signal(number, signal.SIG_IGN)
