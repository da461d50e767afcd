"""The record file that ``--record`` names."""

from __future__ import annotations

import os
from pathlib import Path

from rollback_ops.core.record import Record
from rollback_ops.core.text import one_line


def write(path: Path, record: Record) -> str:
    """Write the record to a file, whole or not at all. Returns why it could not be written; empty when it was."""
    if path.exists() and not path.is_file():
        # Replacing a device (/dev/stdout, /dev/null) would destroy it.
        return f"the record could not be written to {one_line(str(path))}: it is not a file"
    # Imported late: with all that it imports it takes 3 ms, and most rollbacks write no file.
    import tempfile

    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(record.model_dump_json(by_alias=True, indent=2) + "\n")
        os.replace(file.name, path)
    except OSError as error:
        return f"the record could not be written to {one_line(str(path))}: {error.strerror}"
    return ""
