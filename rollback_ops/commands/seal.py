"""``seal``: write the integrity manifest of a release."""

from __future__ import annotations

from collections.abc import Mapping

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.tasks import Cancellation, each

# Seconds. A release may have many gigabytes.
_SEAL_WITHIN = 900.0


@frozen
class Seal:
    """One sealed release. ``files``: how many files its manifest has."""

    release: str
    files: int


@frozen
class Sealed:
    """The seals by host, and the hosts on which nothing could be sealed."""

    seals: Mapping[str, Seal]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def seal(context: Context, cancellation: Cancellation) -> Sealed:
    """Seal the release that was asked for on every host; without one, the live one of each."""
    context.refuse_limits()
    release = context.request.release
    with context.closing():
        surveyed = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in surveyed.found}

        def write(name: str) -> Seal:
            chosen = release or surveyed.found[name].live.name
            if not chosen:
                raise Refused(f"{name}: no release is live", "Name the release to seal.")
            return Seal(chosen, hosts[name].seal(chosen))

        sealed = sort_answers(each(hosts, write, _SEAL_WITHIN, cancellation))
    return Sealed(sealed.found, {**surveyed.lost, **sealed.lost})
