"""Templates of log lines."""

from __future__ import annotations

import pytest

from rollback_ops.core.templates import Template, templates


@pytest.mark.parametrize(
    "lines",
    [
        ("2026-11-27 10:00:01,123 ERROR user 17 not found", "2026-11-27 10:00:02,456 ERROR user 4711 not found"),
        ("GET /item/1 took 3ms", "GET /item/22 took 417ms"),
        ("cannot open 'a b.txt'", "cannot open 'c d.txt'"),
        ("connect to 10.0.0.1:5432 failed", "connect to 10.0.0.2:5433 failed"),
        ("job 3f8e1c05d2 done", "job 91b07aa46e done"),
        ("fetch https://a.example.org/x failed", "fetch https://b.example.org/y failed"),
    ],
)
def test_lines_that_differ_in_what_varies_are_one_template(lines: tuple[str, str]) -> None:
    (found,) = templates(lines, 5)
    assert found.count == 2


def test_different_messages_stay_apart_and_the_most_frequent_come_first() -> None:
    lines = ["b one", "a one", "c two", "c two", "", "d"]
    assert templates(lines, 3) == (Template("c two", 2), Template("a one", 1), Template("b one", 1))


def test_a_template_is_one_short_line_whatever_a_log_says() -> None:
    (found,) = templates(["\x1b[31m" + "x" * 100_000 + "\u2028::error::"], 5)
    assert len(found.text) <= 200
    assert found.text.isprintable()
