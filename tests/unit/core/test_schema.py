"""Which versions of a database a release knows, as tools and people name them."""

from __future__ import annotations

import pytest

from rollback_ops.core.schema import KnownSchema, named, unknown_to


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("20260101120000", "db/migrate/20260101120000_add_price.rb"),
        ("0002_price", "shop/migrations/0002_price.py"),
        ("shop/migrations/0002_price", "shop/migrations/0002_price.py"),
        ("migrations/0002_price", "shop/migrations/0002_price.py"),
        ("ae1027a6acf", "versions/ae1027a6acf_add_price.py"),
        ("V2", "sql/V2__price.sql"),
        ("002_price.sql", "migrations/002_price.sql"),
        ("2", "2-price.sql"),
    ],
)
def test_a_migration_is_known_by_the_beginning_of_its_name(version: str, path: str) -> None:
    assert unknown_to(KnownSchema((path,)), [version], by_file=False) == ()


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("2", "20_price.sql"),
        ("0002_price", "0002_prices.py"),
        ("other/migrations/0002_price", "shop/migrations/0002_price.py"),
        ("hop/migrations/0002_price", "shop/migrations/0002_price.py"),
        ("0003", "0002_0003.sql"),
    ],
)
def test_another_migration_is_not_known(version: str, path: str) -> None:
    assert unknown_to(KnownSchema((path,)), [version], by_file=False) == (version,)


@pytest.mark.parametrize(
    ("line", "understood", "not_understood"),
    [
        ("3", ["3"], ["2", "30"]),
        ("1..10", ["1", "9", "10"], ["0", "11"]),
        ("..4", ["0", "4"], ["5"]),
        ("20260101..", ["20260101", "20270101"], ["20251231"]),
        ("v1.2..v1.10", ["v1.2", "v1.9"], ["v1.11"]),
        ("# 3", [], ["3"]),
        ("3 # since May", ["3"], ["4"]),
        ("", [], ["3"]),
    ],
)
def test_a_file_lists_versions_and_ranges(line: str, understood: list[str], not_understood: list[str]) -> None:
    known = KnownSchema(("# what this release can read", line))
    assert unknown_to(known, [*understood, *not_understood], by_file=True) == tuple(not_understood)


def test_many_versions_are_named_in_a_bounded_line() -> None:
    assert named(["1", "2"]) == "1, 2"
    assert named([str(n) for n in range(1000)]).endswith("995 more")
