"""What to do about a release that somebody else could have changed. Pure."""

from __future__ import annotations

# The beginnings of what the agent says (sh/trust.sh, ``distrust``), as protocol/survey.py makes sentences of it.
_REMEDIES = {
    "it belongs to ": "give it to a trusted user (chown), or list the owner under `trusted`",
    "it can be written to by everybody": "take that away (chmod o-w)",
    "it can be written to by the group ": "take that away (chmod g-w), or list the %group under `trusted`",
}


def remedy(problem: str) -> str:
    """Return what makes a release with this problem trusted; empty where its problem is another one."""
    return next((words for beginning, words in _REMEDIES.items() if problem.startswith(beginning)), "")
