"""The remedy for a release that an untrusted user could have changed. Pure."""

from __future__ import annotations

# How the problems begin that the agent reports (sh/trust.sh, ``distrust``), in the words of protocol/survey.py.
_REMEDIES = {
    "it belongs to ": "give it to a trusted user (chown), or list the owner under `trusted`",
    "it can be written to by everybody": "take that away (chmod o-w)",
    "it can be written to by the group ": "take that away (chmod g-w), or list the %group under `trusted`",
}


def remedy(problem: str) -> str:
    """Return what makes a release with this problem trusted; empty where its problem is another one."""
    return next((words for beginning, words in _REMEDIES.items() if problem.startswith(beginning)), "")
