"""Record each rollback as one deployment on GitHub, when its outcome is known.

The lookups run in the background while hosts are verified. Nothing here delays a rollback, changes its outcome or
raises: a failure becomes a warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

from rollback_ops.core.errors import ConnectionLost, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.record import DeploymentRef, Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.revision import same
from rollback_ops.core.tasks import Cancellation, begin, each
from rollback_ops.integrations.github import payload
from rollback_ops.integrations.github.api import Deployment, GitHubError, Repository
from rollback_ops.integrations.github.client import DeploymentClient

T = TypeVar("T")
# Selects the records that a host confirms: any user who may write to its journal may have forged one.
Credible = Callable[[Sequence[Record]], Iterable[Record]]

# The warnings begin with these words.
NOT_RECORDED = "the deployment on GitHub was not recorded: "
NOT_MARKED_INACTIVE = "the superseded deployment on GitHub was not marked inactive: "
EARLIER_NOT_RECORDED = "rollbacks of earlier runs may be missing on GitHub: "
_FORBIDDEN = 403
_MOST_UNRECORDED = 5
_RECORDED_WITHIN = timedelta(days=7)
# A run whose end the journal lacks may still be going on, for this long.
_LONGEST_RUN = timedelta(hours=1)
# Seconds after which one thread stops waiting for another. The caller's own deadline is shorter.
_LONGEST_WAIT = 60.0


@frozen
class RecordingResult:
    """``deployment`` is empty where none was created, or where it did not get its final state."""

    deployment: DeploymentRef = field(default_factory=DeploymentRef)
    warnings: tuple[str, ...] = ()


class DeploymentRecorder:
    """Records one rollback. Without a ``repository``, a rollback that has to be recorded gets a warning.

    ``whole``: all hosts of the environment take part, so the release that they left is live nowhere any more.
    """

    def __init__(
        self, repository: Repository | None, redact: Redactor, environment_url: str = "", *, whole: bool = True
    ) -> None:
        self._client = partial(DeploymentClient, redact=redact, environment_url=environment_url)
        self._repository = repository
        self._whole = whole
        self._lookups: _Lookups | None = None

    def prepare(self, record: Record) -> None:
        """Start the lookups in the background. ``record`` is the provisional one."""
        if self._repository and not self._lookups:
            self._lookups = _Lookups(self._repository, self._client, record)

    def record(
        self,
        record: Record,
        within: float,
        earlier: Callable[[], Iterable[Record]] | None = None,
        credible: Credible = list,
    ) -> RecordingResult:
        """Record the rollback within so many seconds.

        Also marks the superseded deployment inactive, and records those of the ``earlier`` rollbacks that GitHub lacks
        and that are ``credible``.
        """
        if not payload.changed_something(record):
            return RecordingResult()
        self.prepare(record)
        if not self._lookups:
            return RecordingResult(warnings=(f"{NOT_RECORDED}GITHUB_TOKEN or GITHUB_REPOSITORY is missing",))
        lookups, deadline = self._lookups, time.monotonic() + within
        own = _Background(lambda: lookups.record(record))
        superseded = _Background(lambda: lookups.mark_inactive(record, own, whole=self._whole))
        missing = _Background(lambda: lookups.record_earlier(record, own, earlier, credible))
        try:
            deployment = own.result(deadline - time.monotonic())
        except RollbackOpsError as error:
            return RecordingResult(warnings=(f"{NOT_RECORDED}{error.message}{_remedy(error)}",))
        problems = {
            NOT_MARKED_INACTIVE: superseded.problem(deadline - time.monotonic()),
            EARLIER_NOT_RECORDED: missing.problem(deadline - time.monotonic()),
        }
        return RecordingResult(deployment, tuple(f"{what}{why}" for what, why in problems.items() if why))


def _remedy(error: RollbackOpsError) -> str:
    """Return the usual cause of status 403: a permission that most workflows forget."""
    forbidden = isinstance(error, GitHubError) and error.status == _FORBIDDEN
    return "; the job needs `permissions: deployments: write`" if forbidden else ""


class _Lookups:
    """The lookups on GitHub, in the background, and the requests at the end.

    Each of the two clients is used by one thread at a time.
    """

    def __init__(
        self, repository: Repository, client: Callable[[Repository], DeploymentClient], record: Record
    ) -> None:
        self._repository = repository
        self._client = client
        self._own, self._other = client(repository), client(repository)
        self._rollbacks = _Background(lambda: self._own.rollbacks(record.environment))
        self._left = record.from_
        self._superseded = _Background(lambda: self._other.superseded(record))

    def record(self, record: Record) -> DeploymentRef:
        return self._own.record(record, self._known(record))

    def mark_inactive(self, record: Record, own: _Background[DeploymentRef], *, whole: bool) -> None:
        """Mark the superseded deployment, if all hosts of the environment left it and are healthy."""
        own.result()
        if not (whole and record.outcome == "succeeded" and _is_left(record)):
            return
        superseded = self._superseded.result()
        if record.from_ != self._left:
            # Which hosts were switched was not known when the lookup began.
            superseded = self._other.superseded(record)
        if superseded:
            self._other.mark_inactive(superseded, record)

    def record_earlier(
        self,
        record: Record,
        own: _Background[DeploymentRef],
        earlier: Callable[[], Iterable[Record]] | None,
        credible: Credible,
    ) -> None:
        records = earlier() if earlier else ()
        own.result()
        if not records:
            return
        known = self._known(record)
        lacking = unrecorded(records, known, record, self._repository.runs, datetime.now(UTC))
        missing = {found.id: found for found in credible(lacking)} if lacking else {}
        work = lambda run: self._client(self._repository).record(missing[run], known)  # noqa: E731
        for found in each(missing, work, _LONGEST_WAIT, Cancellation()).values():
            if isinstance(found, RollbackOpsError):
                raise found

    def _known(self, record: Record) -> list[Deployment]:
        try:
            return self._rollbacks.result()
        except RollbackOpsError:
            # The first attempt was made before the hosts were verified: GitHub may answer by now.
            self._rollbacks = _Background(lambda: self._own.rollbacks(record.environment))
            return self._rollbacks.result()


class _Background(Generic[T]):
    """Work that starts at once, on a thread of its own."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._begun = begin(["work"], lambda _: _safely(work))

    def result(self, within: float = _LONGEST_WAIT) -> T:
        """Return the result. Raises ``RollbackOpsError`` when the work failed or did not end within so many seconds."""
        found = self._begun.results(max(0.0, within), Cancellation())["work"]
        if isinstance(found, ConnectionLost):
            raise GitHubError("GitHub did not answer in time")
        if isinstance(found, RollbackOpsError):
            raise found
        return found

    def problem(self, within: float) -> str:
        """Return why the work failed; empty when it did not."""
        try:
            self.result(within)
        except RollbackOpsError as error:
            return error.message
        return ""


def _safely(work: Callable[[], T]) -> T:
    try:
        return work()
    except RollbackOpsError:
        raise
    except Exception as error:
        # A defect here must not change the outcome of a rollback.
        raise GitHubError(f"failed ({type(error).__name__})") from None


def _is_left(record: Record) -> bool:
    """Return whether no host runs the release that the rollback left. A host that was left alone may still run it."""
    left = record.from_
    if left.release is None:
        known = left.revision is not None
        return known and not any(same(host.to.revision or "", left.revision or "") for host in record.hosts)
    return all(host.to.release != left.release for host in record.hosts)


def unrecorded(
    records: Iterable[Record], known: Iterable[Deployment], own: Record, runs: str, now: datetime
) -> list[Record]:
    """Return the rollbacks of ``own``'s service and environment that this repository's ``runs`` made, and that have no
    deployment. The oldest is first.
    """
    recorded = {own.id, *(str((deployment.payload or {}).get("id")) for deployment in known)}
    found = [
        record
        for record in records
        if (record.service, record.environment) == (own.service, own.environment)
        and (record.run_url or "").startswith(runs)
        and payload.changed_something(record)
        and record.id not in recorded
        and _is_due(record, now)
    ]
    return sorted(found, key=lambda record: record.started_at)[:_MOST_UNRECORDED]


def _is_due(record: Record, now: datetime) -> bool:
    age = now - datetime.fromisoformat(record.started_at).astimezone(UTC)
    return (timedelta() if record.hosts else _LONGEST_RUN) <= age < _RECORDED_WITHIN
