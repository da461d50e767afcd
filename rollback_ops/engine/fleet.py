"""All hosts of a run: every operation goes to them at the same time, and each answers or fails by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TypeVar

from rollback_ops.checks import HostProbe, NetworkProbe
from rollback_ops.core import tasks
from rollback_ops.core.errors import ConnectionLost, HostUnreachable, Refused, RollbackOpsError
from rollback_ops.core.health import Claim, Finding, Verification
from rollback_ops.core.hold import merged, repairs
from rollback_ops.core.model import (
    Hold,
    HostCommand,
    Inspection,
    Note,
    ServiceState,
    Survey,
    SwitchOrder,
    SwitchResult,
    Unit,
)
from rollback_ops.core.ports import Host, Progress
from rollback_ops.core.schema import SchemaAnswer
from rollback_ops.core.tasks import Cancellation, Pending
from rollback_ops.engine.lease import LeaseKeeper
from rollback_ops.engine.proof import Proof
from rollback_ops.engine.questions import ask_network, ask_once

T = TypeVar("T")

# Seconds for a survey, and for writing a record, at most. A host that is down must leave the others the time that they
# need, in an emergency too.
_SURVEY_WITHIN = 12.0
_PART_FOR_SURVEY = 0.25
_RECORD_WITHIN = 5.0
# Seconds for running the checks once. A slower one is unknown.
_ASK_WITHIN = 10.0
# Seconds for writing the record when a signal's grace is used up: the runner kills the program right after.
_LAST_WORDS = 0.4
# Seconds beyond the limits that hosts and checks keep themselves: those end first, and say how they ended.
_MARGIN = 5.0


class Fleet:
    """The hosts of a run, under one deadline (``total`` seconds from now) and one cancellation.

    Their survey has begun already. ``progress`` is shown what happens. ``connections``: on so many hosts something is
    done at the same time. With more hosts, each operation has its time as often as it takes for all to have their turn.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        survey: Pending[str, Survey],
        progress: Progress,
        cancellation: Cancellation,
        total: float,
        connections: int = tasks.AT_ONCE,
    ) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._survey = survey
        self.progress = progress
        self._cancellation = cancellation
        self.connections = connections
        self.renew(total)
        self._leases = LeaseKeeper(connections)
        self._proved: dict[str, Verification] = {}
        self._schema: dict[str, SchemaAnswer] = {}
        self._survey_within = min(_SURVEY_WITHIN, total * _PART_FOR_SURVEY)
        # When the first transaction was ordered (``time.monotonic``): until then nothing was stopped anywhere.
        self.changing_since: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._hosts)

    def survey(self) -> dict[str, Survey | RollbackOpsError]:
        """Wait for the surveys. A host that cannot be surveyed does not hold up the others."""
        found = self._survey.results(self._survey_within, self._cancellation)
        for name, error in found.items():
            if isinstance(error, RollbackOpsError):
                self.progress.lost(name, error)
        return found

    def survey_again(self, names: Iterable[str]) -> dict[str, Survey | RollbackOpsError]:
        """Survey some of the hosts again, after they were changed."""
        return self._each(names, lambda name: self._hosts[name].survey(), self._survey_within)

    def inspect(
        self, releases: Mapping[str, str], questions: Callable[[str], Sequence[HostCommand]]
    ) -> dict[str, Inspection | RollbackOpsError]:
        """Inspect a release on each of some hosts, before any service is stopped. ``questions`` are about a release."""
        return self._each(
            releases, lambda name: self._hosts[name].inspect(releases[name], questions(releases[name])), self.left()
        )

    def schema(self, name: str, releases: Sequence[str], timeout: float | None) -> SchemaAnswer | RollbackOpsError:
        """Ask one host for the versions that the database has, once in a run, and for what releases know of them."""
        asked = self._schema.get(name)
        answer = self._each(
            [name], lambda host: self._hosts[host].schema(releases, None if asked else timeout), self.left()
        )[name]
        if isinstance(answer, SchemaAnswer) and timeout:
            first = self._schema.setdefault(name, answer)
            return replace(answer, versions=first.versions, why=first.why)
        return answer

    def switch(
        self,
        orders: Mapping[str, SwitchOrder],
        at_least: float = 1.0,
        proof: Proof | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> dict[str, SwitchResult]:
        """Run the transactions. A signal does not stop them: hosts finish by themselves.

        Waits until the deadline, and at least ``at_least`` seconds. Where there are more hosts than connections, each
        has its ``proof`` in the same turn, for ``verify``: in a turn of its own, it would log in once more.
        ``meanwhile`` is called once hosts are at work.
        """
        if self.changing_since is None:
            self.changing_since = time.monotonic()
        self._cancellation.check()
        work = self._switch_one(orders, proof if len(orders) > self.connections else None)
        within = max(at_least, self.left())
        begun = tasks.begin(self._connected_first(orders), work, self.connections)
        # What fails here is done again when it is needed. How the hosts end must be heard and recorded.
        with suppress(Exception):
            self.progress.at_work()
            meanwhile()
        results = begun.results(within, self._cancellation, finish=True)
        return {name: _as_result(results[name]) for name in orders}

    def pause(self, seconds: float) -> None:
        """Wait. Raises ``Cancelled`` if a signal comes."""
        self._cancellation.wait(seconds)
        self._cancellation.check()

    def extend(self, seconds: float, hosts: Collection[str] = ()) -> None:
        """Move the deadline: time in which the run only waited for others is not its own.

        With ``hosts``: as often as it takes for all of them to have their turn.
        """
        self._deadline += seconds * self._turns(hosts)

    def renew(self, seconds: float, hosts: Collection[str] | None = None) -> None:
        """Set the deadline so many seconds from now: each wave of a rollback has its own time.

        As often as it takes for these hosts (all of them, where none are named) to have their turn.
        """
        self._deadline = time.monotonic() + seconds * self._turns(self._hosts if hosts is None else hosts)

    def _turns(self, hosts: Collection[str]) -> int:
        return max(1, math.ceil(len(hosts) / self.connections))

    def note(self, run: str, names: Iterable[str], line: str) -> dict[str, RollbackOpsError]:
        """Append a line to the journals of hosts that are not changed yet. Returns the errors, by host."""
        written = self._each(names, lambda name: self._hosts[name].record(run, {}, line), _RECORD_WITHIN)
        return {name: error for name, error in written.items() if error is not None}

    def to_the_end(self) -> Fleet:
        """Return the same hosts for work that no signal stops: a drill that goes forward to where it started."""
        other = copy(self)
        other._cancellation = Cancellation()
        return other

    def heed_signals(self) -> None:
        """Raise ``Cancelled`` if a signal came."""
        self._cancellation.check()

    def _switch_one(self, orders: Mapping[str, SwitchOrder], proof: Proof | None) -> Callable[[str], SwitchResult]:
        def switch(name: str) -> SwitchResult:
            host, order = self._hosts[name], orders[name]
            result = host.switch(order, lambda step: self.progress.step(name, step))
            if result.target_is_live:
                # Other hosts may take longer, and until then nobody else may have this one.
                self._leases.keep(host, order.run)
            self.progress.switched(name, result)
            return result

        # Of these orders only: what was verified under earlier ones says nothing of the release that they make live.
        proved = self._proved = {}

        def switch_and_prove(name: str) -> SwitchResult:
            host = self._hosts[name]
            with host.staying_connected():
                # A signal ends verifications, and with them turns: no other transaction begins in their place.
                if self._cancellation.asked:
                    raise HostUnreachable("it was not begun: a signal came")
                result = switch(name)
                # After a signal, or a failure on this machine, the host keeps what it has, unproved.
                with suppress(Exception):
                    if proof and result.outcome == "switched":
                        proved[name] = proof.of(host, self.left(), self._cancellation, result.units)
            return result

        return switch_and_prove if proof else switch

    def verify(self, proof: Proof, units: Mapping[str, tuple[Unit, ...]]) -> dict[str, Verification]:
        """Verify the service on the hosts of a proof. A host that could not be verified is not healthy.

        ``units`` are the units' states that hosts have just reported; they save the first question.
        """
        proved, self._proved = self._proved, {}

        def prove(name: str) -> Verification:
            host, waiting = self._hosts[name], partial(self.progress.waiting, name)
            found = proved.get(name) or proof.of(host, self.left(), self._cancellation, units.get(name, ()), waiting)
            self.progress.verified(name, found)
            return found

        results = self._each(proof.claims, prove, self.left() + _MARGIN)
        return {name: r if isinstance(r, Verification) else Verification(False, 0.0) for name, r in results.items()}

    def ask_once(
        self, names: Iterable[str], checks: Callable[[str], Mapping[str, HostProbe | NetworkProbe]]
    ) -> dict[str, dict[str, Finding] | RollbackOpsError]:
        """Ask every check of some of the hosts once; see ``verify.ask_once``."""
        within = min(_ASK_WITHIN, self.left())
        return self._each(
            names, lambda name: ask_once(self._hosts[name], checks(name), within, self._cancellation), within + _MARGIN
        )

    def ask_beside(
        self, checks: Mapping[str, Mapping[str, NetworkProbe]]
    ) -> Pending[tuple[str, str], tuple[Finding, float]]:
        """Begin to ask checks of some hosts, each once, without waiting. An answer has its time (``monotonic``)."""
        wanted = {(host, name): check for host, found in checks.items() for name, check in found.items()}

        def ask(key: tuple[str, str]) -> tuple[Finding, float]:
            host, name = key
            return ask_network(self._hosts[host], name, wanted[key]), time.monotonic()

        return tasks.begin(wanted, ask)

    def claimed(self, claims: Mapping[str, Claim]) -> dict[str, ServiceState]:
        """Return what hosts say of the claims on them, and renew their leases. A host without an answer is left out."""
        seen = self._each(claims, lambda name: self._hosts[name].ask(claims[name].run), _ASK_WITHIN)
        return {name: found for name, found in seen.items() if isinstance(found, ServiceState)}

    def sample(self, questions: Sequence[HostCommand]) -> dict[str, ServiceState | RollbackOpsError]:
        """Ask every host that was surveyed something, without a lease."""
        return self._each(self.names, lambda name: self._hosts[name].ask("", questions), _ASK_WITHIN)

    def logs(self, names: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return the last lines of the service, from the hosts that answer."""
        told = self._each(names, lambda name: self._hosts[name].logs(), _RECORD_WITHIN)
        lines = {name: found for name, found in told.items() if not isinstance(found, RollbackOpsError)}
        for name, found in lines.items():
            self.progress.logs(name, found)
        return lines

    def journals(self, names: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return the lines of the journals that can be read, by host."""
        read = self._each(names, lambda name: self._hosts[name].journal(), _SURVEY_WITHIN)
        return {name: lines for name, lines in read.items() if not isinstance(lines, RollbackOpsError)}

    def record(
        self,
        run: str,
        notes: Mapping[str, Mapping[str, tuple[Note, str]]],
        line: str,
        hold: Hold | None = None,
    ) -> dict[str, RollbackOpsError]:
        """Note how releases were found, append the line to each journal, and set the hold. Returns the errors."""

        # What is renewed after that would have to be given up again.
        self._leases.stop()

        def write(name: str) -> None:
            self._hosts[name].record(run, notes[name], line, hold)

        within = min(_RECORD_WITHIN, max(_LAST_WORDS, self._cancellation.leave_at - time.monotonic()))
        turns = self._connected_first(notes)
        written = tasks.each(turns, write, within, Cancellation(), at_once=self.connections)
        return {name: error for name, error in written.items() if error is not None}

    def confirm(self, names: Iterable[str]) -> dict[str, RollbackOpsError]:
        """Disarm these hosts: their live releases stay. Returns the errors, by host, also where none is armed."""

        def confirm(name: str) -> None:
            if not self._hosts[name].confirm():
                raise Refused(f"{name}: it is not armed any more: it went back by itself, or somebody confirmed it")

        done = tasks.each(names, confirm, _RECORD_WITHIN, Cancellation(), at_once=self.connections)
        return {name: error for name, error in done.items() if error is not None}

    def share_holds(self, surveys: Sequence[Survey]) -> None:
        """Copy holds between the hosts, so that all have the same. The next run repeats what failed."""
        now = time.time()
        known = merged(surveys)
        wanted = {survey.host: found for survey in surveys if any(found := repairs(survey, known, now))}
        if wanted:
            write = lambda name: self._hosts[name].write_holds(*wanted[name])  # noqa: E731
            tasks.each(wanted, write, _RECORD_WITHIN, Cancellation(), at_once=self.connections)

    def release(self) -> None:
        """Renew no lease any more. A lease that ``record`` does not give up ends by itself, in seconds."""
        self._leases.stop()

    def left(self) -> float:
        """Return the seconds until the deadline, at least one."""
        return max(1.0, self._deadline - time.monotonic())

    def _each(self, names: Iterable[str], work: Callable[[str], T], within: float) -> dict[str, T | RollbackOpsError]:
        within, wanted = min(within, self.left() + _MARGIN), list(names)
        turns = self._connected_first(wanted)
        found = tasks.each(turns, work, within, self._cancellation, at_once=self.connections)
        return {name: found[name] for name in wanted}

    def _connected_first(self, names: Iterable[str]) -> list[str]:
        """Return the names in the order of their turns: a host that waits loses its connection to another one."""
        return sorted(names, key=lambda name: not self._hosts[name].connected)


def _as_result(result: SwitchResult | RollbackOpsError) -> SwitchResult:
    if isinstance(result, SwitchResult):
        return result
    if isinstance(result, ConnectionLost):
        return SwitchResult("unknown", f"{result.message}; the host finishes by itself what it has begun")
    return SwitchResult("refused", result.message)
