"""The calls to GitHub's API that record one deployment. Raises ``GitHubError``. For one thread at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rollback_ops.core.record import DeploymentRef, Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.revision import same
from rollback_ops.integrations.github import payload, schedule
from rollback_ops.integrations.github.api import PAGE, Api, Deployment, GitHubError, Repository

# Of the deployments of the left revision: the newest may belong to a job that still runs.
_MOST_CANDIDATES = 3
_UNPROCESSABLE = 422
_MOST_PAGES = 100


class DeploymentClient:
    """Reads and writes deployments of rollbacks. ``environment_url`` is the page of the environment; may be empty."""

    def __init__(self, repository: Repository, redact: Redactor, environment_url: str = "") -> None:
        self._api = Api(repository, redact)
        self._sha = repository.sha
        self._redact = redact
        self._url = environment_url

    def rollbacks(self, environment: str) -> list[Deployment]:
        """Return the last hundred rollbacks of an environment, newest first."""
        return self._api.deployments(task=payload.TASK, environment=environment)

    def pages(self, environment: str = "") -> Iterator[list[Mapping[str, Any] | None]]:
        """Yield the payloads of all rollbacks, newest first, page by page, each with the ``deployment`` it is from."""
        for page in range(1, _MOST_PAGES + 1):
            found = self._api.deployments(page=page, task=payload.TASK, environment=environment)
            yield [each.payload and {**each.payload, "deployment": {"id": each.id, "url": each.url}} for each in found]
            if len(found) < PAGE:
                return

    def deployed(self, environment: str, most: int) -> list[Deployment]:
        """Return the last deployments of an environment that are not ours, newest first: at least ``most``, or all."""
        found: list[Deployment] = []
        for page in range(1, _MOST_PAGES + 1):
            there = self._api.deployments(page=page, environment=environment)
            found += [each for each in there if not each.task.startswith(payload.TASK)]
            if len(there) < PAGE or len(found) >= most:
                break
        return found

    def record(self, record: Record, rollbacks: Iterable[Deployment]) -> DeploymentRef:
        """Make sure that the record has one deployment, in its final state. ``rollbacks`` exist already."""
        state = payload.STATES[record.outcome]
        deployment = _of(record, rollbacks)
        if deployment is None:
            deployment = self._create(record)
            self._add_status(deployment, record, "in_progress")
            self._add_status(deployment, record, state)
        elif self._api.state(deployment.id) != state:
            self._add_status(deployment, record, state)
        return DeploymentRef(id=deployment.id, url=deployment.url)

    def superseded(self, record: Record) -> Deployment | None:
        """Find the deployment of the release that the rollback left: the newest success of exactly that revision."""
        revision = (record.from_.revision or "").lower()
        if not re.fullmatch(r"[0-9a-f]{7,64}", revision):
            return None
        whole = revision if len(revision) in (40, 64) else ""
        candidates = [
            each
            for each in self._api.deployments(environment=record.environment, sha=whole)
            if each.environment == record.environment
            and each.task != schedule.TASK
            and same(each.sha, revision)
            and not _is_of(record, each)
        ]
        return next((each for each in candidates[:_MOST_CANDIDATES] if self._api.state(each.id) == "success"), None)

    def mark_inactive(self, superseded: Deployment, record: Record) -> None:
        self._api.add_status(superseded.id, payload.inactive_status(record, self._redact))

    def _create(self, record: Record) -> Deployment:
        """Create the deployment of the restored revision, or of the workflow's commit where GitHub lacks that one."""
        refused = GitHubError("neither the restored release nor the workflow has a revision")
        for ref, ref_is in payload.refs(record, self._sha):
            try:
                return self._create_of(record, ref, ref_is)
            except GitHubError as error:
                if error.status != _UNPROCESSABLE:
                    raise
                refused = error
        raise refused

    def _create_of(self, record: Record, ref: str, ref_is: str) -> Deployment:
        document = payload.deployment(record, ref, ref_is, self._redact)
        return self._api.create_once(document, lambda: _of(record, self.rollbacks(record.environment)))

    def _add_status(self, deployment: Deployment, record: Record, state: str) -> None:
        self._api.add_status(deployment.id, payload.status(record, state, self._url, self._redact))


def _of(record: Record, deployments: Iterable[Deployment]) -> Deployment | None:
    return next((each for each in deployments if _is_of(record, each)), None)


def _is_of(record: Record, deployment: Deployment) -> bool:
    """Return whether this is the deployment of this very run. One job may roll back several times."""
    return (deployment.payload or {}).get("id") == record.id
