"""The verification of a release on the hosts of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rollback_ops.checks import HostProbe, NetworkProbe
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Claim, Thresholds, Verification
from rollback_ops.core.model import Unit
from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.verify import OnWait, in_silence, verify


@frozen
class Proof:
    """The checks and limits with which a release is verified on each host that ``claims`` names."""

    checks: Callable[[str], Mapping[str, HostProbe | NetworkProbe]]
    thresholds: Mapping[str, Thresholds]
    claims: Mapping[str, Claim]

    def of(
        self,
        host: Host,
        within: float,
        cancellation: Cancellation,
        units: tuple[Unit, ...],
        on_wait: OnWait = in_silence,
    ) -> Verification:
        """Verify one host; see ``verify.verify``."""
        name = host.name
        return verify(host, self.checks(name), self.thresholds, within, self.claims[name], cancellation, units, on_wait)
