"""The commits between two releases: from GitHub, where there is a repository and a token, else from the clone here."""

from __future__ import annotations

from rollback_ops.commands.context import Context
from rollback_ops.core.changes import Changes, unknown
from rollback_ops.integrations import git


def between(context: Context, old: str, new: str) -> Changes:
    """Return what leaves the hosts when they go back from ``new`` to ``old``. Never raises; takes a few seconds."""
    if context.repository is None:
        return git.between(old, new)
    from rollback_ops.integrations.github import compare
    from rollback_ops.integrations.github.api import Api

    there = compare.between(Api(context.repository, context.redact), old, new)
    if not there.commits.why:
        return there
    here = git.between(old, new)
    if not here.commits.why or here.commits.why == there.commits.why:
        return here
    return unknown(f"{there.commits.why}; {here.commits.why}")
