"""``finish``: the last step of a job. Files the deployment of a rollback that was killed, or had no time for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollback_ops.commands.context import deployment_recorder, load_settings, repository_of
from rollback_ops.config.request import Request
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import Exit, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.reading import read_record
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.integrations import record_file
from rollback_ops.integrations.github.deployments import NOT_RECORDED
from rollback_ops.integrations.publish import warned

# Seconds. No service waits here.
_WITHIN = 20.0


@frozen
class Finished:
    """``record`` is None where there is no record that can be read. ``filed``: its deployment was recorded only now."""

    file: Path
    record: Record | None = None
    filed: bool = False
    warnings: tuple[str, ...] = ()
    exit_code: int = Exit.OK


def finish(environ: Mapping[str, str], secrets: Secrets) -> Finished:
    """Complete the record in ``ROLLBACK_RECORD`` with its deployment on GitHub. Contacts no host.

    A record that is missing or cannot be read is no failure of the job. Raises ``UsageError`` when the variable names
    no file.
    """
    file = Path(environ.get("ROLLBACK_RECORD", "").strip() or "")
    if file == Path():
        raise UsageError("finish needs the record's file, and ROLLBACK_RECORD does not name one")
    try:
        record = read_record(file.read_bytes())
    except FileNotFoundError:
        return Finished(file)
    except (OSError, ValueError):
        return Finished(file, warnings=(f"{file} is not a record that can be read",))
    parts = record.services or (record,)
    completed = [_completed(part, environ, secrets) for part in parts]
    told = tuple(part for part, _ in completed)
    whole = record.model_copy(update={"services": told}) if record.services else told[0]
    problem = record_file.write(file, whole) if whole != record else ""
    warnings = [warning for _, unfiled in completed for warning in unfiled]
    filed = any(new.deployment.id != old.deployment.id for old, new in zip(parts, told, strict=True))
    return Finished(file, whole, filed, tuple(filter(None, (*warnings, problem))))


def _completed(record: Record, environ: Mapping[str, str], secrets: Secrets) -> tuple[Record, tuple[str, ...]]:
    """Return the record with its deployment, and warnings. In a group, each service has its own deployment."""
    request = Request.build({**environ, "ROLLBACK_ENVIRONMENT": record.environment})
    page = _environment_page(environ, record)
    recorder = deployment_recorder(request, repository_of(environ, secrets), Redactor(secrets.texts()), page)
    # The deployment of a shard is that of all shards, which `merge` files.
    is_complete = record.deployment.id is not None or record.shard is not None
    if recorder is None or is_complete:
        return record, ()
    filed = recorder.record(record, _WITHIN)
    earlier = tuple(why for why in record.warnings if not why.startswith(NOT_RECORDED))
    completed = record.model_copy(update={"deployment": filed.deployment, "warnings": earlier})
    return warned(completed, *filed.warnings), filed.warnings


def _environment_page(environ: Mapping[str, str], record: Record) -> str:
    """Return the environment's page, where the settings are there and still have the environment."""
    try:
        environment = load_settings(None, environ).environments.get(record.environment)
    except RollbackOpsError:
        return ""
    return environment.url.replace("{environment}", record.environment) if environment else ""
