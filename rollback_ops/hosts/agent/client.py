"""A host of the service: the agent's operations over a transport."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from rollback_ops.core.comparison import Comparison
from rollback_ops.core.errors import (
    AuthenticationFailed,
    BadAnswer,
    ConnectionLost,
    HostUnreachable,
    HostUntrusted,
    Refused,
    RollbackOpsError,
)
from rollback_ops.core.hold import line_of
from rollback_ops.core.model import (
    Armed,
    ArmOrder,
    Hold,
    HostCommand,
    Inspection,
    InstallOutcome,
    Note,
    Opinion,
    ServiceId,
    ServiceState,
    StepReport,
    Survey,
    SwitchOrder,
    SwitchResult,
    UninstallOutcome,
    Unit,
)
from rollback_ops.core.ports import Stream
from rollback_ops.core.schema import SchemaAnswer
from rollback_ops.core.text import one_line, short
from rollback_ops.hosts.agent import bundle, comparison, protocol, restricted
from rollback_ops.hosts.agent.session import AgentSession
from rollback_ops.hosts.connections import Connections
from rollback_ops.hosts.transport import Transport

# Seconds. A host that does not answer a read-only operation within them counts as down.
_LOOK_WITHIN = 10.0
_LOGS_WITHIN = 5.0
_RECONNECT_EVERY = 0.5
_FULL_KEY = "put one into ROLLBACK_SSH_KEY, or leave that variable out to use your own OpenSSH set-up."
# Characters of the reason in a note.
_LONGEST_REASON = 200
_BY_ITSELF = "the host finishes by itself what it has begun"


class AgentHost:
    """Runs the agent on a host through a transport. ``parse_units`` is the manager's.

    With ``place``, the agent installed there answers, and ``text`` is not sent. It has to serve ``about``.
    Hosts share ``connections``.
    """

    def __init__(
        self,
        transport: Transport,
        text: str,
        parse_units: Callable[[str], tuple[Unit, ...]],
        switch_within: float,
        place: str = "",
        about: ServiceId | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._transport = transport
        self._connections = connections or Connections(1)
        self._text = text
        self._restricted = bool(place)
        self._operator = restricted.RestrictedSession(transport, place) if place else AgentSession(transport, text)
        self._about = about
        self._parse_units = parse_units
        self._switch_within = switch_within

    @property
    def name(self) -> str:
        return self._transport.name

    @property
    def connected(self) -> bool:
        return self._connections.has(self)

    def staying_connected(self) -> AbstractContextManager[None]:
        return self._connections.used_by(self)

    def survey(self, *, sizes: bool = False) -> Survey:
        began = time.monotonic()
        answer = self._operate("survey", "yes" if sizes else "no")
        if self._about:
            protocol.check_service(self.name, answer, self._about)
        units = self._parse_units(protocol.text_of(answer, "state"))
        return protocol.survey(self.name, answer, units, time.monotonic() - began)

    def inspect(self, release: str, questions: Sequence[HostCommand] = ()) -> Inspection:
        patience = max((q.timeout for q in questions), default=0.0) + self._switch_within
        return protocol.inspected(self._operate("inspect", release, *_flat(questions), within=patience))

    def ask(self, run: str, questions: Sequence[HostCommand] = ()) -> ServiceState:
        patience = max((q.timeout for q in questions), default=0.0) + _LOOK_WITHIN
        answer = self._operate("ask", run, *_flat(questions), within=patience)
        units = self._parse_units(protocol.text_of(answer, "state"))
        return ServiceState(units, protocol.answers(answer), *protocol.standing(answer))

    def logs(self) -> Sequence[str]:
        answered = self.ask("", (HostCommand(restricted.READ_LOGS, _LOGS_WITHIN),)).answers.get(0)
        return answered.lines if answered else ()

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        with self._connections.used_by(self):
            return self._transport.dial(host, port, timeout)

    def record(self, run: str, notes: Mapping[str, tuple[Note, str]], line: str, hold: Hold | None = None) -> None:
        reasons = {release: one_line(short(why, _LONGEST_REASON)) for release, (_, why) in notes.items()}
        pairs = [word for name, (note, _) in notes.items() for word in (f"{note}={reasons[name]}", name)]
        pairs += ["hold", line_of(hold)] if hold else []
        answer = self._operate("record", run, line, *pairs)
        # Marks without a record are optional: a user who may not write can still verify.
        if line and answer.status != 0:
            raise Refused(f"{self.name}: .rollback could not be written to, so the journal there lacks this run")

    def arm(self, order: ArmOrder) -> Armed:
        words = (order.run, bundle.whole(order.seconds), order.until, order.owner, order.run_url)
        answer = self._operate("arm", *words, json.dumps(self.name), order.intent, order.hold)
        armed = protocol.armed(answer)
        if armed and armed.run != order.run:
            hint = "Confirm it first, or wait until then."
            raise Refused(f"{self.name}: already armed by {armed.by} until {armed.until}", hint)
        if armed is None or answer.status != 0:
            raise Refused(f"{self.name}: could not be armed", "May this user write to .rollback?")
        return armed

    def confirm(self, run: str = "") -> bool:
        return self._operate("confirm", *filter(None, (run,))).status == 0

    def schema(self, releases: Sequence[str], timeout: float | None) -> SchemaAnswer:
        within = _LOOK_WITHIN + (timeout or 0.0)
        words = (bundle.whole(timeout) if timeout else "", *releases)
        return protocol.schema(self._operate("schema", *words, within=within))

    def compare(self, left: str, target: str, seconds: float | None = None) -> Comparison:
        words = (left, target, *((bundle.whole(seconds / 2),) if seconds else ()))
        within = _LOOK_WITHIN + (seconds or 0.0)
        if self._restricted:
            return comparison.parse(self._operate("compare", *words, within=within))
        return comparison.parse(self._send(bundle.comparing(self._text), "compare", *words, within=within))

    def write_holds(self, holds: Sequence[Hold], forget: Sequence[str] = ()) -> None:
        pairs = [word for hold in holds for word in (hold.id, line_of(hold))]
        pairs += [word for run in forget for word in (run, "")]
        if self._operate("hold", *pairs).status != 0:
            raise Refused(f"{self.name}: the hold could not be written", "May this user write to .rollback?")

    def journal(self) -> Sequence[str]:
        return protocol.text_of(self._operate("history", within=60.0), "journal").splitlines()

    def mark_as(self, run: str, release: str, opinion: Opinion, reason: str) -> None:
        if self._operate("mark", run, release, opinion, reason).status != 0:
            hint = "Is the release there, and may this user write to .rollback?"
            raise Refused(f"{self.name}: {release} could not be marked", hint)

    def seal(self, release: str) -> int:
        """Write the manifest of a release. Needs an unrestricted key, because the agent is sent for it.

        Raises ``Refused`` when it could not be written.
        """
        answer = self._send(self._text, "seal", release, within=600.0)
        count = protocol.sealed(answer)
        if count is None:
            hint = "It has no files, .rollback is not writable, or BusyBox cannot list a file name with a line break."
            raise Refused(f"{self.name}: {release} could not be sealed", hint)
        return count

    def install(self, text: str) -> InstallOutcome:
        """Install break-glass. Needs an unrestricted key, because its whole text is sent."""
        answer = self._send(text, "install", packed=True)
        how = protocol.installed(answer)
        if how is None:
            raise protocol.not_installed(self.name, answer)
        return how

    def uninstall(self, text: str, *, purge: bool) -> UninstallOutcome:
        """Remove break-glass. Needs an unrestricted key, as ``install``."""
        answer = self._send(text, "uninstall", *(["purge"] if purge else []), packed=True)
        return protocol.uninstalled(self.name, answer)

    def stamp(self) -> str:
        answered = self.ask("", (HostCommand(restricted.READ_STAMP, _LOGS_WITHIN),)).answers.get(0)
        return answered.lines[0] if answered and answered.status == 0 and answered.lines else ""

    def switch(self, order: SwitchOrder, on_step: Callable[[StepReport], None]) -> SwitchResult:
        """Carry out the transaction. When the connection drops, the host goes on; its result is read later."""
        deadline = time.monotonic() + self._switch_within
        progress = _StepsOnce(on_step, self._parse_units)
        flags = (order.break_lock, order.relink, order.reset, order.look)
        broken, *others = ("yes" if wanted else "no" for wanted in flags)
        about = (order.owner, order.run_url, order.intent)
        arguments = (order.run, order.target, order.source, broken, *about, *others)
        try:
            return progress.of(self._operate("switch", *arguments, within=self._switch_within, on_line=progress.line))
        except (ConnectionLost, BadAnswer) as error:
            return self._follow(order.run, deadline, progress, error)

    def _follow(self, run: str, deadline: float, progress: _StepsOnce, error: RollbackOpsError) -> SwitchResult:
        while time.monotonic() < deadline:
            try:
                progress.rewind()
                left = max(1.0, deadline - time.monotonic())
                return progress.of(self._operate("follow", run, within=left, on_line=progress.line))
            except (ConnectionLost, BadAnswer, HostUnreachable) as again:
                error = again
                # Hosts lock out an address that keeps trying a refused key.
                if isinstance(again, HostUntrusted | AuthenticationFailed):
                    break
                time.sleep(_RECONNECT_EVERY)
        return SwitchResult("unknown", f"the connection was lost and did not come back ({error.message}); {_BY_ITSELF}")

    def close(self) -> None:
        self._transport.close()

    def _send(
        self, text: str, operation: str, *arguments: str, within: float = _LOOK_WITHIN, packed: bool = False
    ) -> protocol.Answer:
        command = bundle.command(text, operation, *arguments, packed=packed)
        try:
            return self._hear(operation, lambda take: self._transport.execute(command, take, within).stderr)
        except BadAnswer as error:
            if not self._restricted:
                raise
            message = f"{self.name}: the key that was offered may not {operation}: {error.message}"
            raise Refused(message, f"{operation} needs a full key: {_FULL_KEY}") from None

    def _operate(
        self,
        operation: str,
        *arguments: str,
        within: float = _LOOK_WITHIN,
        on_line: Callable[[list[str]], None] | None = None,
    ) -> protocol.Answer:
        run = self._operator.run
        return self._hear(operation, lambda take: run((operation, *arguments), take, within), on_line)

    def _hear(
        self,
        operation: str,
        run: Callable[[Callable[[str], None]], str],
        on_line: Callable[[list[str]], None] | None = None,
    ) -> protocol.Answer:
        answer = protocol.Answer(operation)

        def take(line: str) -> None:
            fields = answer.feed(line)
            if fields and on_line:
                on_line(fields)

        with self._connections.used_by(self):
            errors = run(take)
        try:
            return answer.whole()
        except BadAnswer as error:
            said = protocol.clean(errors.strip().rsplit("\n", 1)[-1] or answer.before)
            raise BadAnswer(f"{error.message}{f' ({said})' if said else ''}") from None


class _StepsOnce:
    """The steps of a transaction. Each is reported once, even when the progress is read again from its beginning."""

    def __init__(self, on_step: Callable[[StepReport], None], parse_units: Callable[[str], tuple[Unit, ...]]) -> None:
        self._on_step = on_step
        self._parse_units = parse_units
        self._told = 0
        self._seen = 0

    def rewind(self) -> None:
        self._seen = 0

    def line(self, fields: list[str]) -> None:
        if fields[0] == "step" and (step := protocol.step_report(fields[1:])):
            self._seen += 1
            if self._seen > self._told:
                self._told = self._seen
                self._on_step(step)

    def of(self, answer: protocol.Answer) -> SwitchResult:
        state = protocol.text_of(answer, "state")
        return protocol.switched(answer.lines, self._parse_units(state) if state else ())


def _flat(questions: Sequence[HostCommand]) -> list[str]:
    """Return two words for each question: its timeout, with the words of ``since`` behind it, and its command."""
    return [word for q in questions for word in (",".join((f"{q.timeout:g}", *q.since)), q.command)]
