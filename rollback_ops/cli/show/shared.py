"""Shared by the functions that show results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from rollback_ops.cli import exit as process
from rollback_ops.cli.output import text
from rollback_ops.cli.output.text import Line

if TYPE_CHECKING:
    from rollback_ops.cli.session import Session
    from rollback_ops.core.errors import RollbackOpsError


class _OnHosts(Protocol):
    """The result of a command on the hosts of one environment."""

    @property
    def environment(self) -> str: ...
    @property
    def lost(self) -> Mapping[str, RollbackOpsError]: ...
    @property
    def exit_code(self) -> int: ...


def show_result(
    session: Session,
    found: _OnHosts,
    title: str,
    document: Mapping[str, Any],
    lines: Iterable[Line],
    as_json: bool,
    decision: str = "",
    outputs: Mapping[str, str] | None = None,
) -> NoReturn:
    """Show the result of a command, in the summary of a workflow's job, too.

    ``decision`` is an output of the step, as are ``outputs``.
    """
    show_lost(session, found.lost)
    shown = list(lines)
    told = [line.text for line in (*text.lost(found.lost), *shown)]
    session.step.because(told, title, found.environment, decision, outputs)
    print_result(session, document, shown, as_json)
    raise process.Ended(found.exit_code)


def print_result(session: Session, document: Mapping[str, Any], lines: Iterable[Line], as_json: bool) -> None:
    if as_json:
        session.console.document(document)
    else:
        session.console.show(lines)


def show_lost(session: Session, lost: Mapping[str, RollbackOpsError]) -> None:
    session.console.show(text.lost(lost), err=True)
