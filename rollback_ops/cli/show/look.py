"""Shows the results of the commands that look: releases, previews, advice, history."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NoReturn

from rollback_ops.cli import exit as process
from rollback_ops.cli.output import advice as advice_text
from rollback_ops.cli.output import documents, evidence_documents, text
from rollback_ops.cli.output import evidence as evidence_text
from rollback_ops.cli.output import history as history_text
from rollback_ops.cli.output import holds as holds_text
from rollback_ops.cli.output import preview as preview_text
from rollback_ops.cli.output import releases as releases_text
from rollback_ops.cli.output.text import Line

if TYPE_CHECKING:
    from rollback_ops.cli.session import Session
    from rollback_ops.commands.advise import Advised
    from rollback_ops.commands.history import History, Logged
    from rollback_ops.commands.list import Releases
    from rollback_ops.commands.outlook import LookedAhead
    from rollback_ops.commands.preview import Preview
    from rollback_ops.commands.preview_group import GroupPreview
from rollback_ops.cli.show.shared import print_result, show_lost, show_result


def releases(session: Session, found: Releases, *, as_json: bool) -> NoReturn:
    now = time.time()
    show_lost(session, found.lost)
    if as_json:
        session.console.document(documents.releases(found))
    else:
        _releases(session, found, now)
    session.step.because((line.text for line in _listed(found, now)), "Releases", found.environment)
    raise process.Ended(found.exit_code)


def releases_of_group(session: Session, group: str, found: Mapping[str, Releases], *, as_json: bool) -> NoReturn:
    """Show the releases of each service of a group. ``check --group`` shows the target of the group."""
    now = time.time()
    for each in found.values():
        show_lost(session, each.lost)
    if as_json:
        session.console.document(documents.of_group(group, {n: documents.releases(each) for n, each in found.items()}))
    else:
        for name, each in found.items():
            session.console.show((Line(f"{name}:", "strong"),))
            _releases(session, each, now)
    told = [f"{name}: {line.text}" for name, each in found.items() for line in _listed(each, now)]
    session.step.because(told, "Releases", next(iter(found.values())).environment)
    raise process.Ended(max(each.exit_code for each in found.values()))


def _releases(session: Session, found: Releases, now: float) -> None:
    for survey, *others in releases_text.alike(found.surveys.values()):
        session.console.show(releases_text.live(survey, 1 + len(others)))
        session.console.table(*releases_text.releases(survey, found.decision, found.ranking, now, found.versions))
    session.console.show(holds_text.listed(found.holds, now))
    session.console.show((releases_text.ordered(found.ranking),))
    session.console.show(text.decision(found.decision))


def _listed(found: Releases, now: float) -> Iterator[Line]:
    yield from text.lost(found.lost)
    yield from holds_text.listed(found.holds, now)
    yield from releases_text.listed(found.surveys.values(), found.decision, found.ranking, now, found.versions)


def preview(session: Session, found: Preview, *, as_json: bool) -> NoReturn:
    outputs = {
        "from": found.leaves.name if found.leaves else "",
        "to": found.returns_to.name if found.returns_to else "",
        "hash": found.hash,
    }
    show_result(
        session, found, "Preview", documents.preview(found), preview_text.lines(found), as_json, outputs=outputs
    )


def group_preview(session: Session, found: GroupPreview, *, as_json: bool) -> NoReturn:
    lines = preview_text.of_group(found)
    show_result(session, found, "Preview", documents.group_preview(found), lines, as_json)


def advice(session: Session, found: Advised, *, as_json: bool) -> NoReturn:
    lines, decision = advice_text.lines(found), found.advice.decision
    show_result(session, found, "Advice", evidence_documents.advice(found), lines, as_json, decision)


def outlook(session: Session, found: LookedAhead, *, as_json: bool) -> NoReturn:
    show_result(session, found, "Outlook", evidence_documents.outlook(found), evidence_text.outlook(found), as_json)


def history(session: Session, found: History, *, as_json: bool) -> NoReturn:
    _gaps(session, found)
    if as_json:
        session.console.document(documents.history(found))
    elif found.records:
        session.console.table(*history_text.history(found.records))
    else:
        session.console.show([Line("No rollback is recorded yet.")])
    raise process.Ended(found.exit_code)


def statistics(session: Session, found: History, *, as_json: bool) -> NoReturn:
    _gaps(session, found)
    counted = found.statistics
    print_result(session, documents.statistics(counted), history_text.stats(counted), as_json)
    raise process.Ended(found.exit_code)


def logged(session: Session, done: Logged, *, as_json: bool) -> NoReturn:
    show_lost(session, done.lost)
    lines = [Line(f"✓ recorded on {', '.join(done.hosts)}: {done.record.id}", "good")] if done.hosts else []
    print_result(session, done.record.model_dump(mode="json", by_alias=True), lines, as_json)
    raise process.Ended(done.exit_code)


def _gaps(session: Session, found: History) -> None:
    show_lost(session, found.lost)
    session.console.show(text.unreadable(found.unreadable), err=True)
