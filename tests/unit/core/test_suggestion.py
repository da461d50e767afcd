"""The request to a language model, and the check of its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollback_ops.core.redaction import Redactor
from rollback_ops.core.suggestion import Suggestion, facts_of, question, suggestion_of

FACTS = facts_of((("check", ["health: failed: 503"]), ("log", ["3 lines: x", "1 lines: y"])), str)
GOOD = {"summary": "The health check fails.", "causes": [{"text": "a bad query", "facts": ["c1", "l2"]}]}


def said(content: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def test_an_answer_of_the_form_that_was_asked_for_is_taken() -> None:
    found = suggestion_of(said(GOOD), FACTS)
    assert isinstance(found, Suggestion)
    assert [cause.facts for cause in found.causes] == [("c1", "l2")]
    assert suggestion_of(said({"summary": "unclear", "causes": []}), FACTS).causes == ()


@pytest.mark.parametrize(
    "answer",
    [
        said({**GOOD, "causes": [{"text": "x", "facts": ["c1", "c9"]}]}),
        said({**GOOD, "causes": [{"text": "x", "facts": []}]}),
        said({**GOOD, "decision": "nothing"}),
        said({**GOOD, "summary": ""}),
        said({**GOOD, "summary": "x" * 601}),
        said({**GOOD, "summary": 3}),
        said({**GOOD, "causes": [{"text": "x", "facts": ["c1"]}] * 6}),
        said("roll forward!"),
        said("[" * 100_000),
        {"choices": []},
        {"choices": [{"message": {"content": None}}]},
        {},
        [],
        None,
    ],
)
def test_any_other_answer_is_dropped_as_a_whole(answer: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  every reason is one
        suggestion_of(answer, FACTS)


def test_what_is_told_is_redacted_short_and_in_one_line() -> None:
    facts = facts_of(
        (("log", ["password=hunter2 \x1b[31m\nnext", "x" * 5000, "s3cr3t-token"]),), Redactor(["s3cr3t-token"])
    )
    told = json.dumps(question("m", "automatic", facts))
    assert "hunter2" not in told
    assert "s3cr3t-token" not in told
    assert all(len(fact.text) <= 300 and fact.text.isprintable() for fact in facts)
    assert [fact.id for fact in facts] == ["l1", "l2", "l3"]
    assert len(facts_of((("log", ["x"] * 500),), str)) == 60


def test_the_question_has_a_strict_schema_and_no_tools() -> None:
    asked = question("m", "automatic", FACTS)
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert not {"tools", "tool_choice", "functions"} & asked.keys()
