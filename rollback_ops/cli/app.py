"""The command line with all commands. One typed command needs only those of its module: ``cli.start``."""

from __future__ import annotations

from rollback_ops.cli.root import app
from rollback_ops.cli.verbs import deploy, look, roll_back, set_up

__all__ = ["app", "deploy", "look", "roll_back", "set_up"]
