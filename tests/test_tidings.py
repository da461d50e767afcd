"""Who is told of a rollback besides the person at the terminal, and what becomes of telling them."""

from __future__ import annotations

import socket
from pathlib import Path

from pydantic import SecretStr

from rollback_ops.notify import Notifier
from rollback_ops.record import Record
from rollback_ops.tidings import Tidings, warned
from tests.notify.receiver import receiver
from tests.records import record


def notifier(url: str = "") -> Notifier:
    return Notifier(SecretStr(url) if url else None, "json", ("start", "success", "failure"))


def written(file: Path) -> Record:
    return Record.model_validate_json(file.read_text())


def test_the_record_of_a_killed_program_is_in_its_file_as_soon_as_hosts_are_about_to_be_changed(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    provisional = record(outcome="cancelled", exit_code=143)
    Tidings(notifier(), None, [], file).begun(provisional)
    assert written(file) == provisional


def test_the_team_is_told_what_goes_and_what_comes() -> None:
    with receiver() as team:
        tidings = Tidings(notifier(team.url), None, [], None)
        tidings.begun(record(outcome="cancelled", exit_code=143))
        tidings.ended(record())
    begun = next(message for message in team.documents if "event" in message)
    assert (begun["change"], begun["reason"], begun["trigger"]) == ("b3 → b2", "logins fail", "manual")
    assert record().model_dump(mode="json", by_alias=True) in team.documents


def test_what_could_not_be_told_is_in_the_record_and_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    ended = Tidings(notifier(url), None, [], file).ended(record())
    assert ended.warnings == ("beware", "the message about the end was not sent: refused")
    assert written(file) == ended


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "record.json"
    (_, told) = Tidings(notifier(), None, [], file).ended(record()).warnings
    assert told == f"the record could not be written to {file}: No such file or directory"


def test_a_warning_stands_once_in_a_record() -> None:
    assert warned(record(), "beware", "", "new", "new").warnings == ("beware", "new")
