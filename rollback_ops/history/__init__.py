"""What happened before: records read back from where they were left, newest first, and their statistics."""

from rollback_ops.history.deployments import read_payloads
from rollback_ops.history.journal import read
from rollback_ops.history.statistics import Statistics, statistics

__all__ = ["Statistics", "read", "read_payloads", "statistics"]
