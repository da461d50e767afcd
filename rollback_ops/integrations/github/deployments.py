"""The deployment of a rollback on GitHub: one for each, filed when the outcome is known, since only then it can say so.

What can be found out beforehand is found out beside the work. Nothing here delays a rollback, changes how it ends, or
raises: what could not be done is a warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from rollback_ops.core.errors import ConnectionLost, RollbackOpsError
from rollback_ops.core.record import DeploymentRef, Record
from rollback_ops.core.tasks import Cancellation, begin, each
from rollback_ops.integrations.github import payload
from rollback_ops.integrations.github.api import Deployment, GitHubError, Repository
from rollback_ops.integrations.github.client import DeploymentClient

T = TypeVar("T")

# How the warnings begin.
UNFILED = "the deployment on GitHub was not recorded: "
UNRETIRED = "the abandoned deployment on GitHub was not marked inactive: "
UNCAUGHT = "rollbacks of earlier runs may be missing on GitHub: "
_FORBIDDEN = 403
_MOST_MISSED = 5
_MISSED_FOR = timedelta(days=7)
# A journal that has only the beginning of a run may be of one that is still going on.
_LONGEST_RUN = timedelta(hours=1)
# Seconds after which a thread stops to wait for another; nobody waits for it so long.
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Filed:
    """``deployment`` is empty where it was not filed, or not given its final state."""

    deployment: DeploymentRef = field(default_factory=DeploymentRef)
    warnings: tuple[str, ...] = ()


class DeploymentRecorder:
    """Files one rollback. ``place`` None: nobody knows where, which is said when there is something to file.

    ``whole``: all hosts of the environment take part, so that what they left is live nowhere any more.
    """

    def __init__(self, place: Repository | None, environment_url: str = "", *, whole: bool = True) -> None:
        self._place = place
        self._url = environment_url
        self._whole = whole
        self._prepared: _Prepared | None = None

    def prepare(self, record: Record) -> None:
        """Begin to look what is there. ``record`` is as it is known by now; nobody waits."""
        if self._place and not self._prepared:
            self._prepared = _Prepared(self._place, self._url, record)

    def file(self, record: Record, within: float, earlier: Callable[[], Iterable[Record]] | None = None) -> Filed:
        """File it, mark what was abandoned, and file what ``earlier`` runs could not; within so many seconds."""
        if not payload.changed_something(record):
            return Filed()
        self.prepare(record)
        if not self._prepared:
            return Filed(warnings=(f"{UNFILED}GITHUB_TOKEN and GITHUB_REPOSITORY say where, and are not there",))
        prepared, deadline = self._prepared, time.monotonic() + within
        own = _Beside(lambda: prepared.file(record))
        left = _Beside(lambda: prepared.retire(record, own, whole=self._whole))
        missing = _Beside(lambda: prepared.catch_up(record, own, earlier))
        try:
            deployment = own.result(deadline - time.monotonic())
        except RollbackOpsError as error:
            return Filed(warnings=(f"{UNFILED}{error.message}{_remedy(error)}",))
        problems = {
            UNRETIRED: left.problem(deadline - time.monotonic()),
            UNCAUGHT: missing.problem(deadline - time.monotonic()),
        }
        return Filed(deployment, tuple(f"{said}{why}" for said, why in problems.items() if why))


def _remedy(error: RollbackOpsError) -> str:
    """What most workflows forget, as long as GitHub says that it is about what the token may do."""
    forbidden = isinstance(error, GitHubError) and error.status == _FORBIDDEN
    return "; the job needs `permissions: deployments: write`" if forbidden else ""


class _Prepared:
    """What is found out beside the work, and what is done with it at the end. Each of the two clerks has one thread."""

    def __init__(self, place: Repository, environment_url: str, record: Record) -> None:
        self._place = place
        self._url = environment_url
        self._filer, self._retirer = DeploymentClient(place, environment_url), DeploymentClient(place)
        self._rollbacks = _Beside(lambda: self._filer.rollbacks(record.environment))
        self._abandoned = _Beside(lambda: self._retirer.abandoned(record))

    def file(self, record: Record) -> DeploymentRef:
        return self._filer.file(record, self._known(record))

    def retire(self, record: Record, own: _Beside[DeploymentRef], *, whole: bool) -> None:
        """Only where all hosts left it, and are well."""
        own.result()
        abandoned = self._abandoned.result() if whole and record.outcome == "succeeded" else None
        if abandoned:
            self._retirer.retire(abandoned, record)

    def catch_up(
        self, record: Record, own: _Beside[DeploymentRef], earlier: Callable[[], Iterable[Record]] | None
    ) -> None:
        records = earlier() if earlier else ()
        own.result()
        if not records:
            return
        known = self._known(record)
        missing = {m.id: m for m in missed(records, known, record, self._place.runs, datetime.now(UTC))}
        work = lambda run: DeploymentClient(self._place, self._url).file(missing[run], known)  # noqa: E731
        for found in each(missing, work, _LONGEST_WAIT, Cancellation()).values():
            if isinstance(found, RollbackOpsError):
                raise found

    def _known(self, record: Record) -> list[Deployment]:
        try:
            return self._rollbacks.result()
        except RollbackOpsError:
            # What did not work when it began may work by now.
            self._rollbacks = _Beside(lambda: self._filer.rollbacks(record.environment))
            return self._rollbacks.result()


class _Beside(Generic[T]):
    """Work that goes on beside everything else from the moment that this is made."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._begun = begin(["work"], lambda _: _safely(work))

    def result(self, within: float = _LONGEST_WAIT) -> T:
        """Raises what it ended with, as one of our errors."""
        found = self._begun.results(max(0.0, within), Cancellation())["work"]
        if isinstance(found, ConnectionLost):
            raise GitHubError("GitHub took too long")
        if isinstance(found, RollbackOpsError):
            raise found
        return found

    def problem(self, within: float) -> str:
        """Why it did not work, or nothing."""
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
        # Whatever an answer made us do: it must not change how a rollback ends.
        raise GitHubError(f"failed ({type(error).__name__})") from None


def missed(
    records: Iterable[Record], known: Iterable[Deployment], own: Record, runs: str, now: datetime
) -> list[Record]:
    """The rollbacks of this repository's ``runs`` in this environment that have no deployment, the oldest first."""
    payloads = [deployment.payload or {} for deployment in known]
    filed = {own.id, *(str(each.get("id")) for each in payloads)}
    keys = {payload.key(own), *(str(each.get("key")) for each in payloads)}
    found = [
        record
        for record in records
        if record.environment == own.environment
        and (record.run_url or "").startswith(runs)
        and payload.changed_something(record)
        and record.id not in filed
        and payload.key(record) not in keys
        and _is_due(record, now)
    ]
    return sorted(found, key=lambda record: record.started_at)[:_MOST_MISSED]


def _is_due(record: Record, now: datetime) -> bool:
    age = now - datetime.fromisoformat(record.started_at).astimezone(UTC)
    return (timedelta() if record.hosts else _LONGEST_RUN) <= age < _MISSED_FOR
