"""The commands: each wires the parts together, runs them, and shows what came of it. All return an exit code."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from rollback_ops import documents, fleet, report, terminal
from rollback_ops.checks import after
from rollback_ops.chronicle import EXIT_CODES, overall
from rollback_ops.crew import Crew
from rollback_ops.errors import Exit, Refused, RollbackOpsError
from rollback_ops.fleet import Cancellation
from rollback_ops.model import Verification
from rollback_ops.plan import Refusal, make_plan
from rollback_ops.ports import Host
from rollback_ops.record import HostOutcome, Record
from rollback_ops.report import Line
from rollback_ops.rollback import roll_back
from rollback_ops.verify import verify
from rollback_ops.wiring import Wired, new_run, order, settings_of, wire

T = TypeVar("T")

# What may still be finished after the runner's SIGINT (its SIGTERM follows after 7.5 s), and after that (2.5 s).
_GRACE = {signal.SIGINT: 6.0, signal.SIGTERM: 2.0}
_LOOK_WITHIN = 12.0
_SEAL_WITHIN = 900.0


class Commands:
    """The commands for one set of options. ``config`` is the path that was typed, if any."""

    def __init__(self, config: str | None, options: Mapping[str, Any], *, as_json: bool) -> None:
        self._environ = dict(os.environ)
        self._settings = settings_of(config, self._environ)
        self._options = options
        self._as_json = as_json

    def rollback(self) -> int:
        return self._roll_back(wire(self._settings, self._environ, self._options), terminal.Live(), report.result)

    def check(self) -> int:
        """A rollback up to the moment at which it would change something."""
        wired = wire(self._settings, self._environ, {**self._options, "dry_run": True})
        return self._roll_back(wired, terminal.Live(quiet=True), report.checked)

    def _roll_back(self, wired: Wired, progress: terminal.Live, told: Callable[[Record], Iterable[Line]]) -> int:
        asked, warning = order(wired)
        with _listening() as cancellation, _closing(wired):
            record = roll_back(asked, Crew(wired.hosts, progress, cancellation, wired.total), progress)
        record = _warned(record, warning)
        if wired.request.record:
            record = _warned(record, documents.write(wired.request.record, record))
        self._show(record.model_dump(mode="json", by_alias=True), told(record))
        return record.exit_code

    def list(self) -> int:
        wired = wire(self._settings, self._environ, self._options)
        surveys, lost = self._each(wired, lambda host: host.survey(sizes=True), _LOOK_WITHIN)
        found = make_plan(list(surveys.values()), wired.wish) if surveys else Refusal("no host can be reached")
        if self._as_json:
            documents.show(documents.releases(wired.job.environment_name, surveys, found, lost))
        else:
            for survey in surveys.values():
                terminal.show(report.live(survey))
                terminal.table(*report.releases(survey, found, time.time()))
            terminal.show(report.decision(found))
        return Exit.REFUSED if lost else Exit.OK

    def verify(self) -> int:
        wired = wire(self._settings, self._environ, self._options)
        within = wired.job.service.limits.verification
        with _listening() as cancellation:
            found, lost = self._each(wired, _prove(wired, within, cancellation), within + _LOOK_WITHIN)
        outcomes: dict[str, HostOutcome] = dict.fromkeys(lost, "unreachable")
        outcomes |= {name: "succeeded" if v.healthy else "verification_failed" for name, v in found.items()}
        outcome = overall(list(outcomes.values()))
        lines = (line for name, verification in found.items() for line in report.verified(name, verification))
        self._show(documents.verification(wired.job.environment_name, outcome, outcomes, found), lines)
        return EXIT_CODES[outcome]

    def seal(self, release: str) -> int:
        wired = wire(self._settings, self._environ, self._options)

        def write(host: Host) -> tuple[str, int]:
            name = release or host.survey().live.name
            if not name:
                raise Refused(f"{host.name}: no release is live", "Name the release to seal.")
            return name, host.seal(name)

        sealed, lost = self._each(wired, write, _SEAL_WITHIN)
        document = {"hosts": [{"host": h, "release": name, "files": n} for h, (name, n) in sealed.items()]}
        self._show(document, (Line(f"✓ {h}  {name} sealed: {n} files", "good") for h, (name, n) in sealed.items()))
        return Exit.REFUSED if lost else Exit.OK

    def _each(
        self, wired: Wired, work: Callable[[Host], T], within: float
    ) -> tuple[dict[str, T], dict[str, RollbackOpsError]]:
        """What the work came to on each host; the hosts where it failed are told of on stderr."""
        with _closing(wired):
            results = fleet.each(wired.hosts, work, within, Cancellation())
        lost = {host.name: r for host, r in results.items() if isinstance(r, RollbackOpsError)}
        terminal.show(report.lost(lost), err=True)
        return {h.name: r for h, r in results.items() if not isinstance(r, RollbackOpsError)}, lost

    def _show(self, document: Mapping[str, Any], lines: Iterable[Line]) -> None:
        if self._as_json:
            documents.show(document)
        else:
            terminal.show(lines)


def _warned(record: Record, warning: str) -> Record:
    return record.model_copy(update={"warnings": (*record.warnings, warning)}) if warning else record


def _prove(wired: Wired, within: float, cancellation: Cancellation) -> Callable[[Host], Verification]:
    """Verify what is live on a host, and mark it as what it turned out to be."""
    run = new_run()

    def prove(host: Host) -> Verification:
        release = host.survey().live.name
        checks = after(wired.checks(release))
        found = verify(host, checks, wired.job.service.verify, within, run, cancellation)
        if release:
            host.record(run, {release: "good" if found.healthy else "bad"}, "")
        return found

    return prove


@contextmanager
def _listening() -> Iterator[Cancellation]:
    """SIGINT and SIGTERM ask to stop; what a host has begun is still seen to its end, within a grace."""
    cancellation = Cancellation()
    previous = {
        number: signal.signal(number, lambda n, _: cancellation.ask(n, _GRACE[signal.Signals(n)])) for number in _GRACE
    }
    try:
        yield cancellation
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _closing(wired: Wired) -> Iterator[None]:
    try:
        yield
    finally:
        for host in wired.hosts:
            host.close()
