"""Reads the answers of the agent into objects. Answers are untrusted: each field is validated."""

from rollback_ops.hosts.agent.protocol.answer import Answer, text_of
from rollback_ops.hosts.agent.protocol.fields import SAFE_NAME, clean
from rollback_ops.hosts.agent.protocol.results import (
    answers,
    check_service,
    inspected,
    installed,
    not_installed,
    schema,
    sealed,
    standing,
    step_report,
    switched,
    uninstalled,
)
from rollback_ops.hosts.agent.protocol.survey import armed, survey
from rollback_ops.hosts.agent.protocol.words import BAD_NAME, BLOCKERS, PROBLEMS

__all__ = [
    "BAD_NAME",
    "BLOCKERS",
    "PROBLEMS",
    "SAFE_NAME",
    "Answer",
    "answers",
    "armed",
    "check_service",
    "clean",
    "inspected",
    "installed",
    "not_installed",
    "schema",
    "sealed",
    "standing",
    "step_report",
    "survey",
    "switched",
    "text_of",
    "uninstalled",
]
