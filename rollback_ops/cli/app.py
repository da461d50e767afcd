"""The command line with all commands. What a person types needs only those of one module: ``cli.start``."""

from __future__ import annotations

from rollback_ops.cli.root import app
from rollback_ops.cli.verbs import deploy, look, roll_back, set_up

__all__ = ["app", "deploy", "look", "roll_back", "set_up"]
