"""The progress of one service of a group: each line names the service."""

from __future__ import annotations

from collections.abc import Sequence

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Verification
from rollback_ops.core.model import StepReport, SwitchResult
from rollback_ops.core.ports import Progress


@frozen
class ServiceProgress:
    """A ``Progress`` that names the service with each host."""

    whole: Progress
    service: str

    def phase(self, name: str, detail: str, hosts: int = 0) -> None:
        """Show a phase. Hosts are not counted: several services may be changed at the same time."""
        self.whole.phase(name, f"{self.service}: {detail}")

    def lost(self, host: str, error: RollbackOpsError) -> None:
        self.whole.lost(self._on(host), RollbackOpsError(error.message.removeprefix(f"{host}: "), error.hint))

    def at_work(self) -> None:
        self.whole.at_work()

    def step(self, host: str, step: StepReport) -> None:
        self.whole.step(self._on(host), step)

    def switched(self, host: str, result: SwitchResult) -> None:
        self.whole.switched(self._on(host), result)

    def waiting(self, host: str, seconds: float, within: float, missing: str) -> None:
        self.whole.waiting(self._on(host), seconds, within, missing)

    def verified(self, host: str, found: Verification) -> None:
        self.whole.verified(self._on(host), found)

    def logs(self, host: str, lines: Sequence[str]) -> None:
        self.whole.logs(self._on(host), lines)

    def _on(self, host: str) -> str:
        return f"{self.service} on {host}"
