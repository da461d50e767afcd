"""Prints the JSON schema of the record. ``make schema`` writes it to ``core/record.schema.json``."""

from __future__ import annotations

import json
import sys

from rollback_ops.core.record.document import Record


def schema() -> str:
    """Return the JSON schema that is generated from the types of the record."""
    found = Record.model_json_schema(mode="serialization")
    # A record can hold records: they are what the whole document is.
    definitions = found["$defs"]
    whole = {"$defs": definitions, **definitions.pop("Record")}
    text = json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}, indent=2) + "\n"
    return text.replace('"#/$defs/Record"', '"#"')


if __name__ == "__main__":
    sys.stdout.write(schema())
