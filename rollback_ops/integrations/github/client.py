"""What is asked of GitHub for one deployment, call by call. Raises ``Unanswered``; for one thread at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rollback_ops.core.record import DeploymentRef, Record
from rollback_ops.integrations.github import payload
from rollback_ops.integrations.github.api import PAGE, Api, Deployment, GitHubError, Repository

# Of the deployments of the left revision: the newest may be a job's own, which is still going on.
_MOST_LOOKED_AT = 3
_UNPROCESSABLE = 422
_MOST_PAGES = 100


class DeploymentClient:
    """``environment_url`` is the page of the environment; may be empty."""

    def __init__(self, place: Repository, environment_url: str = "") -> None:
        self._api = Api(place)
        self._sha = place.sha
        self._secrets = (place.token.get_secret_value(),)
        self._url = environment_url

    def rollbacks(self, environment: str) -> list[Deployment]:
        """The last hundred rollbacks of an environment, newest first."""
        return self._api.deployments(task=payload.TASK, environment=environment)

    def pages(self, environment: str = "") -> Iterator[list[Mapping[str, Any] | None]]:
        """The payloads of all rollbacks, newest first, page by page; each says which deployment it is of."""
        for page in range(1, _MOST_PAGES + 1):
            found = self._api.deployments(page=page, task=payload.TASK, environment=environment)
            yield [each.payload and {**each.payload, "deployment": {"id": each.id, "url": each.url}} for each in found]
            if len(found) < PAGE:
                return

    def file(self, record: Record, rollbacks: Iterable[Deployment]) -> DeploymentRef:
        """See to it that the record has one deployment, in the state that it ended with. ``rollbacks`` are there."""
        state = payload.STATES[record.outcome]
        there = _of(record, rollbacks)
        if there is None:
            there = self._create(record)
            self._say(there, record, "in_progress")
            self._say(there, record, state)
        elif self._api.state(there.id) != state:
            self._say(there, record, state)
        return DeploymentRef(id=there.id, url=there.url)

    def abandoned(self, record: Record) -> Deployment | None:
        """The deployment that made live what the rollback left: the newest that succeeded, of that very revision."""
        revision = (record.from_.revision or "").lower()
        if not re.fullmatch(r"[0-9a-f]{7,64}", revision):
            return None
        whole = revision if len(revision) in (40, 64) else ""
        there = [
            each
            for each in self._api.deployments(environment=record.environment, sha=whole)
            if each.environment == record.environment
            and each.sha.startswith(revision)
            and (each.payload or {}).get("key") != payload.key(record)
        ]
        return next((each for each in there[:_MOST_LOOKED_AT] if self._api.state(each.id) == "success"), None)

    def retire(self, abandoned: Deployment, record: Record) -> None:
        self._api.add_status(abandoned.id, payload.abandoned(record))

    def _create(self, record: Record) -> Deployment:
        """Of the restored revision, or of the workflow's commit where GitHub does not know that one."""
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
        document = payload.deployment(record, ref, ref_is, self._secrets)
        try:
            return self._api.create(document)
        except GitHubError as error:
            if not error.may_be_done:
                raise
        # Where only the answer was lost, a second one would be one too many.
        return _of(record, self.rollbacks(record.environment)) or self._api.create(document)

    def _say(self, deployment: Deployment, record: Record, state: str) -> None:
        self._api.add_status(deployment.id, payload.status(record, state, self._url, self._secrets))


def _of(record: Record, deployments: Iterable[Deployment]) -> Deployment | None:
    key = payload.key(record)
    return next((each for each in deployments if (each.payload or {}).get("key") == key), None)
