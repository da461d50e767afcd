"""The last step of a job: the deployment on GitHub of a rollback that was stopped, or had no time for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollback_ops.cli.actions import step
from rollback_ops.cli.output import documents, terminal, text
from rollback_ops.cli.output.text import Line
from rollback_ops.commands.context import filing, place, settings_of
from rollback_ops.config.request import Request
from rollback_ops.core.errors import Exit, RollbackOpsError, UsageError
from rollback_ops.core.record import Record
from rollback_ops.integrations.github.deployments import UNFILED
from rollback_ops.integrations.publish import warned

# Seconds. Nobody waits for a service here.
_WITHIN = 20.0


def finish(environ: Mapping[str, str]) -> int:
    """See to it that the record in ``ROLLBACK_RECORD`` has its deployment. Contacts no host.

    A record that is not there, or that cannot be read, is no failure of the job. Raises ``UsageError`` when no file was
    named.
    """
    file = Path(environ.get("ROLLBACK_RECORD", "").strip() or "")
    if file == Path():
        raise UsageError("finish needs the record's file, and ROLLBACK_RECORD does not name one")
    record = _read(file)
    if record:
        record = _completed(record, file, environ)
    step.finished(record, file, text.top(text.result(record), ()) if record else ())
    return Exit.OK


def _completed(record: Record, file: Path, environ: Mapping[str, str]) -> Record:
    if record.deployment.id:
        return record
    request = Request.build({**environ, "ROLLBACK_ENVIRONMENT": record.environment})
    clerk = filing(request, place(environ), _page(environ, record))
    if clerk is None:
        return record
    filed = clerk.file(record, _WITHIN)
    if filed.deployment.id:
        terminal.show([Line(f"✓ on the record of GitHub: deployment {filed.deployment.id}", "good")], err=True)
    terminal.show((Line(f"! {why}", "warning") for why in filed.warnings), err=True)
    earlier = tuple(why for why in record.warnings if not why.startswith(UNFILED))
    told = warned(record.model_copy(update={"deployment": filed.deployment, "warnings": earlier}), *filed.warnings)
    if told != record and (problem := documents.write(file, told)):
        terminal.show([Line(f"! {problem}", "warning")], err=True)
    return told


def _read(file: Path) -> Record | None:
    try:
        return Record.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        terminal.show([Line(f"! {file} is no record that can be read", "warning")], err=True)
        return None


def _page(environ: Mapping[str, str], record: Record) -> str:
    """The page of the environment, where the settings are there and still have it."""
    try:
        environment = settings_of(None, environ).environments.get(record.environment)
    except RollbackOpsError:
        return ""
    return environment.url.replace("{environment}", record.environment) if environment else ""
