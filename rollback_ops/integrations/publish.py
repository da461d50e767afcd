"""Publishes a rollback: writes the record file, tells the team (webhook), records the deployment (GitHub), in order.

Publishing never changes the outcome of a rollback: a message that could not be sent is a warning in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from rollback_ops.core.changes import NO_COMMITS, Changes, Commits, in_brief
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import ServiceId
from rollback_ops.core.ports import Host
from rollback_ops.core.record import Record, ReleaseRef
from rollback_ops.core.revision import same
from rollback_ops.core.run import rfc3339
from rollback_ops.core.summary import order_told, services_told
from rollback_ops.core.tasks import Cancellation, Pending, begin, each
from rollback_ops.integrations import git, record_file
from rollback_ops.integrations.webhook import Notifier, StartEvent

if TYPE_CHECKING:
    from rollback_ops.integrations.github.deployments import DeploymentRecorder, RecordingResult

# Seconds for the deployment on GitHub. After a signal the runner kills the program soon.
_FILE_WITHIN = 5.0
_FILE_WITHIN_AFTER_SIGNAL = 1.0
# Seconds beyond that: the recorder keeps its own deadline, and says what it could not do.
_MARGIN = 1.0
# Seconds for which the message about the start waits for GitHub's comparison, where no clone has the commits.
_START_WAITS = 3.0
# Seconds to look at the commits of a rollback that changes nothing.
_COMPARE_WITHIN = 4.0


class Publisher:
    """Publishes one rollback when it begins to change hosts, and when it has ended.

    ``recorder`` and ``file`` are None where no deployment is recorded, or no file is written. ``between`` returns what
    lies between two revisions; ``asks_github``: it knows more than the clone. It is the engine's ``Announcer``.
    """

    def __init__(
        self,
        notifier: Notifier,
        recorder: DeploymentRecorder | None,
        hosts: Sequence[Host],
        file: Path | None,
        between: Callable[[str, str], Changes] = git.between,
        *,
        asks_github: bool = False,
    ) -> None:
        self._notifier = notifier
        self._recorder = recorder
        self._hosts = hosts
        self._file = file
        self._between = between
        self._asks_github = asks_github
        self._changes: Pending[str, Changes] | None = None
        # Set when the comparison is there, or nobody waits for it any more.
        self._compared = Event()
        self._begun: Record | None = None

    def changing(self, provisional: Record) -> None:
        """Write the record for the case that the program is killed, and tell the team without waiting for it."""
        self._begun = provisional
        self.written(provisional)
        old, new = provisional.to.revision or "", provisional.from_.revision or ""
        self._notifier.started(start_of(provisional), lambda: in_brief(self._leaving(old, new)))

    def _leaving(self, old: str, new: str) -> Commits:
        """Return the commits for the message about the start: from the clone, else from GitHub, if it answers soon.

        GitHub is asked when hosts were changed: its imports would delay the change.
        """
        found = git.commits(old, new)
        if not found.why or found.why == NO_COMMITS or not self._asks_github:
            return found
        self._compared.wait(_START_WAITS)
        known = self._changes.results(0.0, Cancellation())["changes"] if self._changes else None
        return known.commits if isinstance(known, Changes) else found

    def at_work(self) -> None:
        """List the commits that leave, where the clone knows them: that costs little time here."""
        if self._begun and not self._changes and not self._asks_github:
            self._compare(self._begun)

    def changed(self) -> None:
        """Prepare the deployment on GitHub while the hosts are being verified, and compare the two revisions there."""
        if self._begun and not self._changes:
            self._compare(self._begun)
        if self._recorder and self._begun:
            self._recorder.prepare(self._begun)

    def changes(self, record: Record) -> Changes | None:
        """Return the commits that the rollback takes away, or would. None: nothing to compare, or not known yet.

        Where hosts were changed, this was asked while they were at work or verified, so there is almost nothing
        left to wait for.
        """
        if record.dry_run and record.to.revision and record.from_.revision:
            self._compare(record)
        if self._changes is None:
            return None
        found = self._changes.results(_COMPARE_WITHIN if record.dry_run else _MARGIN, Cancellation())["changes"]
        return None if isinstance(found, RollbackOpsError) else found

    def _compare(self, record: Record) -> None:
        old, new = record.to.revision or "", record.from_.revision or ""

        def compare(_: str) -> Changes:
            try:
                return self._between(old, new)
            finally:
                self._compared.set()

        self._changes = begin(["changes"], compare)

    def ended(self, record: Record) -> Record:
        """Publish the record. Returns it with the deployment, and a warning for each message that failed.

        The file is written first, so that it exists whatever happens next.
        """
        record = self.written(record)
        self._compared.set()
        recording = begin(["GitHub"], lambda _: self._filed(record))
        unsent = self._notifier.ended(record)
        filed = recording.results(_FILE_WITHIN + _MARGIN, Cancellation())["GitHub"]
        told = warned(record, *unsent)
        if filed and not isinstance(filed, RollbackOpsError):
            told = warned(told.model_copy(update={"deployment": filed.deployment}), *filed.warnings)
        return told if told == record else self.written(told)

    def _filed(self, record: Record) -> RecordingResult | None:
        if not self._recorder:
            return None
        if record.exit_code > 128:
            return self._recorder.record(record, _FILE_WITHIN_AFTER_SIGNAL)
        there = {host.host for host in record.hosts if host.outcome not in ("unreachable", "unknown")}
        host = next((host for host in self._hosts if host.name in there), None)
        if host is None:
            return self._recorder.record(record, _FILE_WITHIN)
        return self._recorder.record(
            record, _FILE_WITHIN, lambda: _earlier(host, record.about), lambda found: _credible(host, found)
        )

    def written(self, record: Record) -> Record:
        """Write the record file, if one was asked for."""
        return warned(record, record_file.write(self._file, record)) if self._file else record


class GroupPublisher:
    """Publishes the rollback of a group: one file and one message for all, and one deployment for each service.

    ``services`` are the publishers of the services, which tell only GitHub.
    """

    def __init__(self, whole: Publisher, services: Mapping[str, Publisher]) -> None:
        self._whole = whole
        self._services = services

    def changing(self, provisional: Record) -> None:
        """Write the record for the case that the program is killed, and tell the team once."""
        self._whole.changing(provisional)

    def at_work(self) -> None:
        """Do nothing: a group does not list the commits that leave."""

    def changed(self) -> None:
        """Do nothing: deployments are recorded at the end."""

    def ended(self, record: Record) -> Record:
        """Publish the records of the services, then that of the group, which holds them."""
        self._whole.written(record)
        records = {one.service: one for one in record.services}
        ended = lambda name: self._services[name].ended(records[name])  # noqa: E731
        filed = each(records, ended, _FILE_WITHIN + 2 * _MARGIN, Cancellation())
        services = tuple(records[name] if isinstance(one, RollbackOpsError) else one for name, one in filed.items())
        news = [f"{one.service}: {warning}" for one in services for warning in one.warnings]
        return self._whole.ended(warned(record.model_copy(update={"services": services}), *news))


def _earlier(host: Host, about: ServiceId) -> Sequence[Record]:
    """Return the records of a host. A journal that cannot be read is read another time."""
    try:
        return read_journal(host.journal(), about)[0]
    except RollbackOpsError:
        return ()


def _credible(host: Host, records: Sequence[Record]) -> list[Record]:
    """Return the records about releases that the host has, with the revisions that they have there.

    The journal is only a file: a line that somebody forged must not become a deployment of any commit.
    """
    try:
        revisions = {release.name: release.revision for release in host.survey().releases}
    except RollbackOpsError:
        return []

    def is_known(ref: ReleaseRef) -> bool:
        name = ref.release or ""
        return name in revisions and (ref.revision is None or same(ref.revision, revisions[name]))

    return [r for r in records if is_known(r.to) and (r.from_.release is None or is_known(r.from_))]


def warned(record: Record, *warnings: str) -> Record:
    """Return the record with these warnings added, each of them once. Empty ones are left out."""
    news = tuple(dict.fromkeys(w for w in warnings if w and w not in record.warnings))
    return record.model_copy(update={"warnings": (*record.warnings, *news)}) if news else record


def start_of(record: Record) -> StartEvent:
    """Return the event of the start, from the provisional record."""
    shared = record.model_dump(include=set(StartEvent.model_fields) - {"event", "at", "change", "strategy", "order"})
    change = "; ".join(services_told(record)) or f"{record.from_.label or 'nothing'} → {record.to.label}"
    return StartEvent(
        **shared,
        at=rfc3339(datetime.now(UTC)),
        change=change,
        strategy=record.strategy.told if record.strategy else (),
        order=order_told(record),
    )
