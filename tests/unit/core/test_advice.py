"""The specification's decision matrix, applied to what was observed."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_ops.core.advice import Observation, advise
from rollback_ops.core.health import CheckResult, Finding, Verification
from rollback_ops.core.record import EvidenceRecord
from tests.support.fakes import verification

WELL, UNWELL = verification(healthy=True), verification(healthy=False)
DOWN = Verification(False, 1.0, (CheckResult("process", "process", Finding("failed", down=True), 0.0),))
UNKNOWN = Verification(False, 1.0, (CheckResult("health", "http", Finding("unknown"), 0.0),))


def metric(verdict: Any, check: str = "errors") -> EvidenceRecord:
    words = {"source": "prometheus", "baseline": "before", "alpha": 0.01, "needed": 200, "e_worse": 1, "e_not_worse": 1}
    return EvidenceRecord(check=check, verdict=verdict, **words)


@pytest.mark.parametrize(
    ("seen", "decision", "decisive"),
    [
        (Observation({"h1": WELL}), "nothing", []),
        (
            Observation({"h1": DOWN, "h2": DOWN}, trigger="process-crash", failures=["h1"]),
            "emergency",
            ["service-down"],
        ),
        (
            Observation({"h1": DOWN, "h2": WELL}, trigger="process-crash", failures=["h1: process"]),
            "automatic",
            ["process-crash", "check-fails"],
        ),
        (Observation({"h1": UNWELL}, trigger="verification-failed", failures=["h1"]), "automatic", ["check-fails"]),
        (
            Observation({"h1": UNWELL}, trigger="database-unreachable", failures=["h1"]),
            "automatic",
            ["database-unreachable", "check-fails"],
        ),
        (
            Observation({"h1": UNWELL}, trigger="log-error", failures=["h1"]),
            "automatic",
            ["critical-log-line", "check-fails"],
        ),
        (
            Observation({"h1": UNWELL}, trigger="config-invalid", failures=["h1"]),
            "automatic",
            ["configuration-invalid", "check-fails"],
        ),
        (Observation({"h1": WELL}, evidence=[metric("worse")]), "automatic", ["more-errors"]),
        (
            Observation({"h1": WELL}, evidence=[metric("worse", "slow")], degrading=frozenset({"slow"})),
            "recommended",
            ["slower"],
        ),
        (Observation({"h1": WELL}, evidence=[metric("undecided")]), "nothing", []),
        (Observation({"h1": WELL}, evidence=[metric("not_worse")]), "nothing", []),
        (Observation({"h1": WELL}, marked_bad=["b3: slow"]), "recommended", ["marked-bad"]),
        (Observation({"h1": WELL}, warnings=3), "fix_forward", ["only-warnings"]),
        (Observation({"h1": WELL}, warnings=3, marked_bad=["b3"]), "recommended", ["marked-bad"]),
        (Observation({"h1": UNKNOWN}), "unknown", []),
        (Observation({"h1": WELL}, {"h2": "no route"}), "unknown", []),
        (Observation({"h1": WELL}, {"h2": "no route"}, warnings=3), "unknown", []),
        (Observation({}, {"h1": "no route"}), "unknown", []),
        (Observation({"h1": DOWN}, {"h2": "no route"}, "process-crash", ["h1"]), "automatic", ["process-crash"]),
    ],
)
def test_the_first_row_with_a_rule_that_holds_decides(seen: Observation, decision: str, decisive: list[str]) -> None:
    found = advise(seen)
    assert found.decision == decision
    held = [rule.name for rule in found.rules if rule.holds and rule.row == decision]
    assert held[: len(decisive) or None] == decisive


def test_every_rule_is_shown_whether_it_holds_or_not() -> None:
    well, unknown = advise(Observation({"h1": WELL})), advise(Observation({}, {"h1": "no route"}))
    assert [rule.name for rule in well.rules] == [rule.name for rule in unknown.rules]
    assert {rule.row for rule in well.rules} == {"emergency", "automatic", "recommended", "fix_forward"}
    assert {rule.holds for rule in well.rules} == {False}
    assert [rule.because for rule in unknown.rules if rule.name == "check-fails"] == [("h1: no route",)]


def test_a_release_that_has_been_live_for_days_is_said_and_changes_no_decision() -> None:
    old = advise(Observation({"h1": UNWELL}, trigger="verification-failed", failures=["h1"], age=3 * 86_400))
    young = advise(Observation({"h1": UNWELL}, trigger="verification-failed", failures=["h1"], age=60))
    assert (old.decision, len(old.cautions), young.decision, young.cautions) == ("automatic", 1, "automatic", ())
