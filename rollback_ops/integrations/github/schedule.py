"""Scheduled rollbacks as deployments on GitHub: the payload has what was asked for, the statuses have the notes.

GitHub numbers statuses in the order in which it stored them. It deletes them after 90 days; no entry is valid for so
long. An entry is no deployment of a release: it never gets the state ``success``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rollback_ops.core.redaction import Redactor
from rollback_ops.core.schedule import Note, NoteKind, ScheduledRollback, ScheduleEntry, note_of
from rollback_ops.core.text import one_line, short
from rollback_ops.integrations.github.api import PAGE, Api, Deployment, GitHubError, Repository
from rollback_ops.integrations.github.payload import LONGEST_DESCRIPTION

TASK = "rollback-scheduled"
_STATES: Mapping[NoteKind, str] = {
    "added": "queued",
    "waiting": "queued",
    "claimed": "in_progress",
    "done": "inactive",
    "cancelled": "inactive",
    "failed": "failure",
    "expired": "error",
    "stale": "error",
}
_NOTE = re.compile(rf"({'|'.join(_STATES)}) by (\S*?)(?:: (.*))?", re.DOTALL)
_MOST_PAGES = 3
# Seconds for an answer. No service is down while entries are read.
_PATIENCE = 20
# Seconds for which an entry is listed after it is over.
_SHOWN_FOR = 7 * 86400.0
_UNPROCESSABLE = 422


class GitHubSchedule:
    """The entries of one repository; with an ``environment``, only those of that one. For one thread at a time."""

    def __init__(self, repository: Repository, redact: Redactor, environment: str = "") -> None:
        self._api = Api(repository, redact, _PATIENCE)
        self._sha = repository.sha
        self._redact = redact
        self._environment = environment
        self._numbers: dict[str, int] = {}

    def add(self, asked: ScheduledRollback) -> None:
        """Create the deployment. It merges nothing and requires no status check: nothing is deployed by it."""
        number = self._create(asked).id
        self._numbers[asked.id] = number
        self.note(asked, note_of("added", asked.by))

    def entries(self) -> list[ScheduleEntry]:
        """Return the entries, oldest first. Leaves out those that ended long ago, and other deployments.

        Each entry costs a request: the workflow asks every few minutes, and GitHub counts requests.
        """
        recent = time.time() - _SHOWN_FOR
        found: list[ScheduledRollback] = []
        for page in range(1, _MOST_PAGES + 1):
            deployments = self._api.deployments(page=page, task=TASK, environment=self._environment)
            found += [asked for each in deployments if (asked := self._read(each)) and asked.until > recent]
            if len(deployments) < PAGE:
                break
        return [self.again(asked) for asked in sorted(found, key=lambda asked: asked.at)]

    def note(self, asked: ScheduledRollback, note: Note) -> None:
        """Add a status."""
        by = re.sub(r"\s", "_", one_line(note.by))
        text = f"{note.what} by {by}" + (f": {note.why}" if note.why else "")
        document = {
            "state": _STATES[note.what],
            "description": short(self._redact(one_line(text)), LONGEST_DESCRIPTION),
            "auto_inactive": False,
        }
        self._api.add_status(self._numbers[asked.id], document)

    def again(self, asked: ScheduledRollback) -> ScheduleEntry:
        """Read the statuses of one entry."""
        statuses = self._api.statuses(self._numbers[asked.id])
        return ScheduleEntry(asked, tuple(filter(None, map(_note, statuses))))

    def _create(self, asked: ScheduledRollback) -> Deployment:
        refused = GitHubError("neither the release nor the workflow has a revision that GitHub knows")
        for ref in filter(None, (self._sha, asked.to_revision)):
            try:
                return self._create_of(asked, ref)
            except GitHubError as error:
                if error.status != _UNPROCESSABLE:
                    raise
                refused = error
        raise refused

    def _create_of(self, asked: ScheduledRollback, ref: str) -> Deployment:
        words = f"Rollback of {asked.service} at {asked.at}: {asked.live} → {asked.to}: {asked.reason}"
        document = {
            "ref": ref,
            "task": TASK,
            "auto_merge": False,
            "required_contexts": [],
            "environment": asked.environment,
            "description": short(self._redact(one_line(words)), LONGEST_DESCRIPTION),
            "payload": self._redact.document(asked.model_dump(mode="json")),
        }
        return self._api.create_once(document, lambda: self._find(asked))

    def _find(self, asked: ScheduledRollback) -> Deployment | None:
        there = self._api.deployments(task=TASK, environment=asked.environment)
        return next((each for each in there if (each.payload or {}).get("id") == asked.id), None)

    def _read(self, deployment: Deployment) -> ScheduledRollback | None:
        """Read a payload. It can name anybody, so the person who asked is the one who created the deployment."""
        try:
            asked = ScheduledRollback.model_validate(deployment.payload)
        except ValidationError:
            return None
        if asked.id in self._numbers and self._numbers[asked.id] != deployment.id:
            return None
        self._numbers[asked.id] = deployment.id
        person = {"by": deployment.creator} if deployment.creator else {}
        return asked.model_copy(update={"environment": deployment.environment, **person})


def _note(status: Mapping[str, Any]) -> Note | None:
    found = _NOTE.fullmatch(str(status.get("description") or ""))
    if found is None:
        # Another program gave it a state.
        return None
    try:
        return Note.model_validate(
            {"what": found[1], "by": found[2], "why": found[3] or "", "at": status.get("created_at")}
        )
    except ValidationError:
        return None
