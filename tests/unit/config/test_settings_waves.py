"""The strategy and the regions of an environment: which values are accepted, and the facts in the message otherwise."""

from __future__ import annotations

import pytest

from rollback_ops.core.rollout import Amount
from tests.support.settings_files import complaint, holds, read

FOUR = "[environments.e]\nhosts = ['a', 'b', 'c', 'd']\n"
STRATEGY = f"{FOUR}[environments.e.strategy]\n"
KEY = "environments.e.strategy."
AMOUNT = 'number of hosts … "25%"'
REGIONS = "[environments.e.regions.eu]\nhosts = ['a', 'b']\n[environments.e.regions.us]\n"


@pytest.mark.parametrize("key", ["canary", "max_parallel", "max_failures"])
@pytest.mark.parametrize(
    ("value", "facts"),
    [
        ("-1", AMOUNT),
        ("1.5", AMOUNT),
        ("nan", AMOUNT),
        ("true", AMOUNT),
        ("[1]", AMOUNT),
        ("{a = 1}", AMOUNT),
        ("1000001", AMOUNT),
        (f"{10**30}", AMOUNT),
        ("''", AMOUNT),
        ("'2'", "without quotes"),
        ("'two'", AMOUNT),
        ("'25'", 'without quotes … "25%"'),
        ("'0%'", "more than 0 %"),
        ("'0.0%'", "more than 0 %"),
        ("'101%'", "at most 100 %"),
        ("'100.001%'", "at most 100 %"),
        ("'-5%'", AMOUNT),
        ("'25 percent'", AMOUNT),
        ("'25%%'", AMOUNT),
        ("'%'", AMOUNT),
        ("'1e1%'", AMOUNT),
        ("'0.0001%'", AMOUNT),
    ],
)
def test_what_is_no_amount_of_hosts_is_named_with_what_is_allowed(key: str, value: str, facts: str) -> None:
    message = complaint(f"{STRATEGY}{key} = {value}")
    assert holds(message, f"rollback.toml: … {KEY}{key} … {facts}"), message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("key", ["pause", "bake", "progress_deadline", "deadline"])
@pytest.mark.parametrize(
    "value", ["-1", "'-1s'", "nan", "inf", "true", "[]", "''", "'30'", "'30 sec'", "'soon'", "'7h'"]
)
def test_what_is_no_duration_is_named(key: str, value: str) -> None:
    message = complaint(f"{STRATEGY}{key} = {value}")
    assert holds(message, f"rollback.toml: … {KEY}{key}"), message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("toml", "facts"),
    [
        (STRATEGY + "max_parallel = 0", f"{KEY}max_parallel = 0 … at least 1"),
        (STRATEGY + "progress_deadline = 0", f"{KEY}progress_deadline = 0 … longer than 0"),
        (STRATEGY + "deadline = 0", f"{KEY}deadline = 0 … longer than 0"),
        (STRATEGY + "deadline = '10s'\npause = '10s'", "environments.e.strategy … pause (10s) … deadline (10s)"),
        (STRATEGY + "deadline = '10s'\nbake = '11s'", "environments.e.strategy … bake (11s) … deadline (10s)"),
        (STRATEGY + "after_canary = 'wait'", f'{KEY}after_canary = "wait" … continue, stop'),
        (STRATEGY + "after_canary = 'stop'", "environments.e.strategy … after_canary … no canary"),
        (STRATEGY + "on_exceeded = 'restart'", f'{KEY}on_exceeded = "restart" … stop, restore'),
        (STRATEGY + "order = 'list'", f'{KEY}order = "list" … unhealthy-first, listed … "listed"'),
        (STRATEGY + "canery = 1", f'{KEY}canery … "canary"'),
        (STRATEGY + "canary = 4", "environments.e … strategy.canary of 4 … 4 hosts"),
        (STRATEGY + "canary = 5", "environments.e … strategy.canary of 5 … 4 hosts"),
        (STRATEGY + "canary = '100%'", "environments.e … strategy.canary of 100 % … 4 hosts"),
        (FOUR + "strategy = 1", "environments.e.strategy = 1 … table"),
        (FOUR + "strategy = []", "environments.e.strategy … table"),
        (REGIONS + "hosts = []", "environments.e.regions.us … no hosts"),
        (REGIONS, "environments.e.regions.us.hosts … missing"),
        (REGIONS + "hosts = 'c'", 'environments.e.regions.us.hosts = "c" … list'),
        (REGIONS + "hosts = ['c', 'c']", "environments.e.regions.us.hosts … c"),
        (REGIONS + "hosts = ['c', 'b']", "environments.e … b … in one region"),
        (REGIONS + "hosts = ['c', 'B:22']", "environments.e … in one region"),
        (REGIONS + "hosts = ['a b']", "environments.e.regions.us.hosts[0]"),
        (REGIONS + "hosts = ['c']\nhost = 'd'", 'environments.e.regions.us.host … "hosts"'),
        (FOUR + REGIONS + "hosts = ['x']", "environments.e … hosts and regions"),
        ("[environments.e.regions.'a b']\nhosts = ['x']", 'environments.e.regions."a b" … name'),
        ("[environments.e.regions.'']\nhosts = ['x']", 'environments.e.regions."" … name'),
        ("[environments.e]\nregions = ['eu']", "environments.e.regions … table"),
    ],
)
def test_a_strategy_or_region_that_cannot_be_is_named_with_the_reason(toml: str, facts: str) -> None:
    message = complaint(toml)
    assert holds(message, f"rollback.toml: … {facts}"), message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1", Amount(1)),
        ("3", Amount(3)),
        ("'25%'", Amount(25, percent=True)),
        ("' 12.5 % '", Amount(12.5, percent=True)),
        ("'0.001%'", Amount(0.001, percent=True)),
    ],
)
def test_counts_and_percentages_are_amounts(written: str, amount: Amount) -> None:
    strategy = read(f"{STRATEGY}canary = {written}").environments["e"].strategy
    assert strategy is not None
    assert strategy.canary == amount


@pytest.mark.parametrize("value", ["0", "-1", "1001", "'10%'", "1.5"])
def test_connections_are_a_count(value: str) -> None:
    message = complaint(f"{STRATEGY}connections = {value}")
    assert holds(message, f"rollback.toml: … {KEY}connections"), message
    assert len(message.splitlines()) == 1
