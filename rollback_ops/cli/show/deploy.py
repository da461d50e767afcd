"""Shows the results of the commands that accompany a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rollback_ops.cli import exit as process
from rollback_ops.cli.output import documents, evidence_documents, text
from rollback_ops.cli.output import evidence as evidence_text
from rollback_ops.cli.output import holds as holds_text

if TYPE_CHECKING:
    from rollback_ops.cli.session import Session
    from rollback_ops.commands.arm import Arming, Confirmation
    from rollback_ops.commands.gate import Gate
    from rollback_ops.commands.hold import Held
    from rollback_ops.commands.rehearse import Rehearsed
    from rollback_ops.commands.seal import Sealed
from rollback_ops.cli.show.shared import print_result, show_lost, show_result


def holds(session: Session, held: Held, *, as_json: bool) -> NoReturn:
    show_result(session, held, "Holds", documents.holds(held), holds_text.shown(held), as_json)


def rehearsal(session: Session, found: Rehearsed, *, as_json: bool) -> NoReturn:
    show_result(
        session, found, "Rehearsal", evidence_documents.rehearsal(found), evidence_text.rehearsal(found), as_json
    )


def armed(session: Session, done: Arming, *, as_json: bool) -> NoReturn:
    show_result(session, done, "Armed", documents.arming(done), holds_text.armed(done), as_json)


def confirmed(session: Session, done: Confirmation, *, as_json: bool) -> NoReturn:
    show_result(session, done, "Confirmed", documents.confirmation(done), holds_text.confirmed(done), as_json)


def gate(session: Session, found: Gate, *, as_json: bool) -> NoReturn:
    lines = list(holds_text.gate(found))
    session.step.because((line.text for line in lines), "Gate", found.environment)
    print_result(session, documents.gate(found), lines, as_json)
    raise process.Ended(found.exit_code)


def sealed(session: Session, done: Sealed, *, as_json: bool) -> NoReturn:
    show_lost(session, done.lost)
    print_result(session, documents.seals(done), text.seals(done.seals), as_json)
    raise process.Ended(done.exit_code)
