"""The command, ready to reach the lab's hosts, for the one test here that needs one."""

from tests.e2e.conftest import rollback_ops

__all__ = ["rollback_ops"]
