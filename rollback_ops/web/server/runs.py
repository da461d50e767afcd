"""The rollbacks that this server started, each on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Verification
from rollback_ops.core.model import StepReport, SwitchResult
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Cancellation
from rollback_ops.core.text import one_line, short
from rollback_ops.web.server.forms import Action, RollbackForm
from rollback_ops.web.view import Tone

# Characters of one line of progress.
_LONGEST = 500
# Lines. A run on hundreds of hosts tells more than a page can show: its record has all of it.
_MOST = 5_000
_NAMES: dict[Action, str] = {
    "rollback": "rollback",
    "resume": "resumed rollback",
    "hold": "hold",
    "lift": "end of the holds",
    "mark": "mark of a release",
    "schedule": "scheduled rollback",
    "cancel": "cancelled schedule",
}
# Seconds.
_TELL_OF_WAITING_EVERY = 5.0


@frozen
class Told:
    """One line of progress. ``kind``: a phase begins, or a host tells something. ``host`` may be empty."""

    number: int
    at: datetime
    kind: Literal["phase", "host"]
    host: str
    text: str
    tone: Tone = "plain"


@dataclass
class Run:
    """One rollback of this server, or another change. ``record`` is there when it ended; ``error`` where it failed.

    ``said``: the result of a change without a record.
    """

    number: int
    form: RollbackForm
    reason: str
    redact: Redactor
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    cancellation: Cancellation = field(default_factory=Cancellation)
    told: list[Told] = field(default_factory=list)
    record: Record | None = None
    error: str = ""
    said: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The change in a few words."""
        form = self.form
        what = "emergency rollback" if form.emergency else _NAMES[form.action]
        goes = f" to {form.target}" if form.action in ("rollback", "schedule") else ""
        return f"{what} of {'the group ' * bool(form.group)}{form.subject} in {form.environment}{goes}"

    def since(self, number: int) -> Sequence[Told]:
        """Return the lines after the one with this number."""
        with self._lock:
            return tuple(self.told[number:])

    def tell(self, kind: Literal["phase", "host"], host: str, text: str, tone: Tone = "plain") -> None:
        """Add a line, without secrets. Called from several threads."""
        shown = short(one_line(self.redact(text)), _LONGEST)
        with self._lock:
            if len(self.told) < _MOST:
                self.told.append(Told(len(self.told) + 1, datetime.now(UTC), kind, host, shown, tone))


Work = Callable[[Run], Record | None]


class RunProgress:
    """Keeps the progress of a run for the pages that show it (the port ``Progress``)."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waited: dict[str, float] = {}

    def phase(self, name: str, detail: str, hosts: int = 0) -> None:
        self._run.tell("phase", "", f"{name}: {detail}")

    def lost(self, host: str, error: RollbackOpsError) -> None:
        self._run.tell("host", host, error.without(host), "bad")

    def at_work(self) -> None:
        pass

    def step(self, host: str, step: StepReport) -> None:
        tone: Tone = {"ok": "good", "warning": "warning", "failed": "bad"}[step.outcome]  # type: ignore[assignment]
        detail = f": {step.detail}" if step.detail else ""
        self._run.tell("host", host, f"{step.name} {step.seconds:.2f} s{detail}", tone)

    def switched(self, host: str, result: SwitchResult) -> None:
        if result.reason:
            self._run.tell("host", host, f"{result.outcome.replace('_', ' ')}: {result.reason}", "warning")
        self.logs(host, result.log_tail)

    def waiting(self, host: str, seconds: float, within: float, missing: str) -> None:
        if seconds - self._waited.get(host, 0.0) >= _TELL_OF_WAITING_EVERY:
            self._waited[host] = seconds
            self._run.tell("host", host, f"verify {seconds:.0f} s of {within:.0f} s: {missing}")

    def verified(self, host: str, found: Verification) -> None:
        tone: Tone = "good" if found.healthy else "bad" if found.verdict == "unhealthy" else "warning"
        self._run.tell("host", host, f"{found.verdict} after {found.seconds:.1f} s", tone)
        for check in found.checks:
            if check.finding.verdict != "passed":
                self._run.tell("host", host, f"{check.name}: {check.finding.verdict}: {check.finding.detail}", tone)

    def logs(self, host: str, lines: Sequence[str]) -> None:
        for line in lines:
            self._run.tell("host", host, f"log: {line}")


class Runs:
    """All runs of this server. The same form starts one run, however often it is sent."""

    def __init__(self, crashed: Callable[[Exception], None]) -> None:
        self._crashed = crashed
        self._by_key: dict[str, Run] = {}
        self._lock = threading.Lock()

    def of_form(self, form: RollbackForm) -> Run | None:
        """Return the run that this form has started already."""
        return self._by_key.get(form.key)

    def numbered(self, number: int) -> Run | None:
        return next((run for run in self.all if run.number == number), None)

    @property
    def all(self) -> Sequence[Run]:
        """Every run, oldest first."""
        with self._lock:
            return tuple(self._by_key.values())

    @property
    def going_on(self) -> Sequence[Run]:
        return tuple(run for run in self.all if not run.done.is_set())

    def start(self, form: RollbackForm, reason: str, redact: Redactor, work: Work) -> Run:
        """Begin the run of a form, unless it has begun. It goes on when no page shows it."""
        with self._lock:
            if run := self._by_key.get(form.key):
                return run
            run = Run(len(self._by_key) + 1, form, redact(reason), redact)
            self._by_key[form.key] = run
        threading.Thread(target=self._carry_out, args=(run, work), daemon=True).start()
        return run

    def _carry_out(self, run: Run, work: Work) -> None:
        try:
            run.record = work(run)
        except RollbackOpsError as error:
            run.error = run.redact(str(error))
        except Exception as error:
            run.error = "a defect in rollback-ops, which the terminal shows. Look at what is live now."
            self._crashed(error)
        finally:
            run.done.set()
