"""One file with everything in it: it needs no server, no script and no other file."""

from __future__ import annotations

import secrets
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_ops.core.errors import UsageError
from rollback_ops.core.text import one_line
from rollback_ops.web.chart import chart_of
from rollback_ops.web.frame import Frame, in_one_page, policy
from rollback_ops.web.history import history_of
from rollback_ops.web.now import now_of
from rollback_ops.web.numbers import numbers_of
from rollback_ops.web.pages import Pages
from rollback_ops.web.record import record_of

if TYPE_CHECKING:
    from rollback_ops.commands.dashboard import Snapshot

# Bytes. Browsers show a page of this size at once; what remains of it after the lists is for the details of records.
MOST_BYTES = 1_000_000
# Bytes that the link to a record takes, at most.
_LINK = 150
# The mark of our pages, near their beginning. Only a file with it is replaced.
MADE_BY = b'<meta name="generator" content="rollback-ops">'
_HEAD = 600


def whole_page(snapshot: Snapshot, rollback: str = "") -> str:
    """Return the page. ``rollback``: the address from which a rollback is started; empty: no button.

    The details of the newest records are in it, as many as fit into ``MOST_BYTES``; the history lists the others.
    """
    pages, nonce = Pages(snapshot.redact), secrets.token_urlsafe(16)
    history = history_of(snapshot)
    values = {
        "now": now_of(snapshot),
        "history": history,
        "chart": chart_of(history.entries),
        "numbers": numbers_of(snapshot.history.statistics),
    }

    def page(sections: Mapping[str, str]) -> str:
        frame = Frame(nonce, in_one_page(rollback, sections), policy=policy(nonce))
        return pages.render("page.html", frame, **values, records=tuple(sections.values()))

    every = Frame(nonce, in_one_page(rollback, {record.id for record in snapshot.history.records}))
    left = MOST_BYTES - len(page({}).encode()) - len(history.entries) * _LINK
    sections: dict[str, str] = {}
    for record in snapshot.history.records:
        section = pages.section(record_of(record), every)
        left -= len(section.encode()) + 1
        if left < 0:
            break
        sections[record.id] = section
    return page(sections)


def check(path: Path) -> None:
    """Raise ``UsageError`` where the page cannot be written because another file is in the way."""
    _mode_of_older(path)


def write(path: Path, text: str) -> None:
    """Write the page, whole or not at all. An older page is replaced, and keeps its permissions.

    Raises ``UsageError`` where it cannot be written, or where something else is there.
    """
    try:
        mode = _mode_of_older(path)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".rollback-ops-") as directory:
            made = Path(directory, path.name)
            made.write_text(text, encoding="utf-8")
            made.chmod(mode)
            made.replace(path)
    except OSError as error:
        raise UsageError(f"the page cannot be written to {one_line(str(path))}: {error.strerror}") from None


def _mode_of_older(path: Path) -> int:
    """Return the permissions of the page that is to be replaced, or those of a new one: for its owner only.

    Raises ``UsageError`` where another file is in the way.
    """
    if not path.exists():
        return 0o600
    if not path.is_file():
        raise UsageError(f"the page cannot be written to {one_line(str(path))}: it is not a file")
    with path.open("rb") as file:
        if MADE_BY not in file.read(_HEAD):
            raise UsageError(
                f"{one_line(str(path))} exists and is not a page of the dashboard, so it was left alone",
                "Name another file with --out, or remove that one.",
            )
    return stat.S_IMODE(path.stat().st_mode)
