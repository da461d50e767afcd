"""``merge``: one record, one deployment and one message of all shards of a plan. Contacts no host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollback_ops.commands.context import deployment_recorder, repository_of
from rollback_ops.commands.pinned import read_plan_file, read_records, read_skipped
from rollback_ops.commands.result import RunResult
from rollback_ops.commands.shards import DEFAULT_FILE
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.resolve import resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import UsageError
from rollback_ops.core.fleet_plan import STAGES
from rollback_ops.core.frozen import frozen
from rollback_ops.core.merging import merged
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.text import listed, quoted
from rollback_ops.integrations.publish import Publisher, warned
from rollback_ops.integrations.webhook import Notifier


@frozen
class Merged:
    """The record of all shards, published, the file that it was written to, and the redactor of its settings."""

    result: RunResult
    file: Path | None
    redact: Redactor


def merge(options: CommandOptions, settings: Settings, environ: Mapping[str, str], secrets: Secrets) -> Merged:
    """Merge the records that are named. Raises ``UsageError`` and ``Refused`` where the plan cannot be read."""
    plan = read_plan_file(options.plan or Path(environ.get("ROLLBACK_PLAN", "").strip() or DEFAULT_FILE))
    for what, name in (("ENVIRONMENT", plan.environment), ("SERVICE", plan.service)):
        if (said := environ.get(f"ROLLBACK_{what}", "").strip()) not in ("", name):
            raise UsageError(f"the plan is for the {what.lower()} {quoted(name)}, and not for {quoted(said)}")
    about = {"ROLLBACK_ENVIRONMENT": plan.environment, "ROLLBACK_SERVICE": plan.service}
    request = Request.build({**environ, **about}, options)
    skipped = (*request.not_begun, *read_skipped(request.records))
    if unknown := [word for word in skipped if word.partition(":")[0] not in STAGES]:
        raise UsageError(f"{quoted(unknown[0])} did not begin, which is none of the stages {listed(STAGES)}")
    job = resolve(settings, request)
    records, unreadable = read_records(request.records)
    redact = Redactor(secrets.texts(), job.service.mask)
    record = warned(
        merged(plan, records, skipped).redacted(redact),
        *(f"{file} is not a record that can be read" for file in unreadable),
    )
    notify = job.service.notify
    notifier = Notifier(secrets.webhook_url, redact, request.webhook_format or notify.format, notify.on)
    repository, page = repository_of(environ, secrets), job.environment.url
    recorder = deployment_recorder(request, repository, redact, page, whole=plan.whole)
    published = Publisher(notifier, recorder, (), request.record).ended(record)
    unpublished = tuple(warning for warning in published.warnings if warning not in record.warnings)
    return Merged(RunResult(published, unpublished=unpublished), request.record, redact)
