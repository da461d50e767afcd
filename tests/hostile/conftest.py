"""The command, ready to reach the lab's hosts, for the tests that hand it hostile things."""

from tests.end_to_end.conftest import rollback_ops

__all__ = ["rollback_ops"]
