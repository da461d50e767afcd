"""Shows the results of the commands that set hosts up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rollback_ops.cli import exit as process
from rollback_ops.cli.output import documents, text
from rollback_ops.cli.output.text import Line

if TYPE_CHECKING:
    from rollback_ops.cli.session import Session
    from rollback_ops.commands.init import Written, WrittenWorkflow
    from rollback_ops.commands.install import Installation, Removal
from rollback_ops.cli.show.shared import print_result, show_lost


def settings(session: Session, written: Written) -> None:
    """Show the reasons for the settings. This is not the result yet: the settings are checked next."""
    session.console.show((Line(f"  {why}") for why in written.proposal.reasons), err=True)
    schema = Line("  `rollback-ops schema >rollback.schema.json` beside it lets an editor check it", "faint")
    session.console.show((Line(f"✓ wrote {written.file}", "good"), schema), err=True)


def workflow(session: Session, written: WrittenWorkflow) -> None:
    """Show the commands that set its secrets. A person types them, after the settings are checked."""
    console = session.console
    console.show((Line(f"✓ wrote {written.file}", "good"), Line("  Set its secrets, with gh:")), err=True)
    console.show((Line(f"    {command}") for command in written.secrets), err=True)


def installation(session: Session, done: Installation, *, as_json: bool) -> NoReturn:
    show_lost(session, done.lost)
    print_result(session, documents.installation(done), text.installation(done.path, done.hosts), as_json)
    raise process.Ended(done.exit_code)


def uninstalled(session: Session, done: Removal, *, as_json: bool) -> NoReturn:
    show_lost(session, done.lost)
    print_result(session, documents.removal(done), text.removal(done.path, done.hosts), as_json)
    raise process.Ended(done.exit_code)
