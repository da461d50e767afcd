"""From a strategy to waves: every rounding, every boundary, and what holds for any number of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.config import Strategy
from rollback_ops.core.rollout import Rollout, Share, Wave
from rollback_ops.engine.strategy import GO_ON, back, decide, resolve, rest_before


def names(count: int, prefix: str = "h") -> list[str]:
    return [f"{prefix}{number}" for number in range(1, count + 1)]


def rollout(hosts: int, unhealthy: int = 0, **said: Any) -> Rollout:
    return resolve(Strategy.model_validate(said), names(hosts), names(unhealthy))


def sizes(found: Rollout) -> list[int]:
    return [len(wave.hosts) for wave in found.waves]


@pytest.mark.parametrize(
    ("hosts", "said", "expected"),
    [
        # canary: rounded up, at least 1
        (1, {"canary": "5%"}, (1, 1, 0)),
        (2, {"canary": "5%"}, (1, 2, 0)),
        (3, {"canary": "50%"}, (2, 3, 0)),
        (10, {"canary": "25%"}, (3, 10, 0)),
        (99, {"canary": "5%"}, (5, 99, 0)),
        (1, {"canary": 2}, (1, 1, 0)),
        (3, {"canary": 2}, (2, 3, 0)),
        (99, {}, (0, 99, 0)),
        # max_parallel: rounded down, at least 1
        (1, {"max_parallel": "25%"}, (0, 1, 0)),
        (2, {"max_parallel": "25%"}, (0, 1, 0)),
        (3, {"max_parallel": "50%"}, (0, 1, 0)),
        (10, {"max_parallel": "25%"}, (0, 2, 0)),
        (99, {"max_parallel": "25%"}, (0, 24, 0)),
        (99, {"max_parallel": "100%"}, (0, 99, 0)),
        (3, {"max_parallel": 10}, (0, 3, 0)),
        (1000, {"max_parallel": "0.1%"}, (0, 1, 0)),
        # max_failures: rounded down
        (1, {"max_failures": "99%"}, (0, 1, 0)),
        (2, {"max_failures": "50%"}, (0, 2, 1)),
        (3, {"max_failures": "50%"}, (0, 3, 1)),
        (10, {"max_failures": "9%"}, (0, 10, 0)),
        (10, {"max_failures": "10%"}, (0, 10, 1)),
        (99, {"max_failures": "10%"}, (0, 99, 9)),
        (99, {"max_failures": 3}, (0, 99, 3)),
    ],
)
def test_amounts_become_hosts(hosts: int, said: dict[str, Any], expected: tuple[int, int, int]) -> None:
    canary, parallel, failures = expected
    assert rollout(hosts, **said).shares == (Share(hosts, canary, parallel, failures),)


@pytest.mark.parametrize(
    ("hosts", "unhealthy", "said", "expected"),
    [
        (1, 0, {"canary": 1}, [1]),
        (2, 0, {"canary": 1}, [1, 1]),
        (10, 0, {}, [10]),
        (10, 0, {"canary": 1, "max_parallel": "25%"}, [1, 2, 2, 2, 2, 1]),
        (10, 0, {"canary": 3, "max_parallel": 2}, [2, 1, 2, 2, 2, 1]),
        (99, 0, {"max_parallel": "50%"}, [49, 49, 1]),
        # all were unhealthy: all at once
        (10, 10, {"canary": 1, "max_parallel": 1}, [10]),
        # all but one
        (10, 9, {"canary": 1, "max_parallel": 1}, [9, 1]),
        (3, 1, {"canary": 1, "max_parallel": 1}, [1, 1, 1]),
        # as listed: they use up no capacity all the same
        (10, 9, {"max_parallel": 1, "order": "listed"}, [10]),
        (4, 1, {"canary": 1, "max_parallel": 1, "order": "listed"}, [1, 1, 1, 1]),
        (4, 2, {"max_parallel": 1, "order": "listed"}, [3, 1]),
    ],
)
def test_hosts_are_cut_into_waves(hosts: int, unhealthy: int, said: dict[str, Any], expected: list[int]) -> None:
    found = rollout(hosts, unhealthy, **said)
    assert sizes(found) == expected
    assert [wave.number for wave in found.waves] == list(range(1, len(expected) + 1))


def test_unhealthy_hosts_go_first_then_the_canary_then_the_others() -> None:
    strategy = Strategy.model_validate({"canary": 1, "max_parallel": 2})
    found = resolve(strategy, names(5), ["h3", "h5"])
    assert [(wave.role, wave.hosts) for wave in found.waves] == [
        ("unhealthy", ("h3", "h5")),
        ("canary", ("h1",)),
        ("rest", ("h2", "h4")),
    ]


def test_regions_go_one_after_the_other_each_with_its_own_amounts() -> None:
    regions = dict.fromkeys(names(4, "e"), "eu") | dict.fromkeys(names(10, "u"), "us")
    strategy = Strategy.model_validate({"canary": 1, "max_parallel": "50%", "max_failures": "10%", "bake": "5m"})
    found = resolve(strategy, list(regions), (), regions)
    assert [(share.region, share.max_parallel, share.max_failures) for share in found.shares] == [
        ("eu", 2, 0),
        ("us", 5, 1),
    ]
    assert found.max_failures == 1, "the budget of all regions together"
    assert [(wave.region, len(wave.hosts)) for wave in found.waves] == [
        ("eu", 1),
        ("eu", 2),
        ("eu", 1),
        ("us", 1),
        ("us", 5),
        ("us", 4),
    ]
    assert [rest_before(found, a, b) for a, b in zip(found.waves, found.waves[1:], strict=False)] == [0, 0, 300, 0, 0]


def failed(*hosts: str, region: str = "") -> dict[str, str]:
    return dict.fromkeys(hosts, region)


def test_it_stops_when_more_hosts_than_max_failures_failed() -> None:
    found = rollout(10, max_failures=2, max_parallel=2)
    wave = found.waves[2]
    assert decide(found, wave, failed("h1", "h2")) == GO_ON
    assert decide(found, wave, failed("h1", "h2", "h3")).then == "stop"
    assert decide(rollout(10, max_failures=2, on_exceeded="restore"), wave, failed("h1", "h2", "h3")).then == "restore"


def test_hosts_that_could_not_be_surveyed_count_before_the_first_wave() -> None:
    assert decide(rollout(10), None, {}) == GO_ON
    assert decide(rollout(10), None, failed("h11")).then == "stop"


def test_any_failure_of_a_canary_stops_it_whatever_the_budget() -> None:
    found = rollout(10, canary=2, max_failures=9)
    canary, rest = found.waves
    assert decide(found, canary, failed("h2")).then == "stop"
    assert decide(found, rest, failed("h3")) == GO_ON


def test_a_canary_that_is_done_stops_it_where_somebody_is_to_look() -> None:
    found = rollout(10, canary=2, max_parallel=1, after_canary="stop")
    first, second, third, *_ = found.waves
    assert [decide(found, wave, {}).then for wave in (first, second, third)] == ["go on", "stop", "go on"]


def test_the_budget_of_a_region_counts_its_own_failures() -> None:
    regions = dict.fromkeys(names(10, "e"), "eu") | dict.fromkeys(names(10, "u"), "us")
    found = resolve(Strategy.model_validate({"max_failures": "10%"}), list(regions), (), regions)
    wave = found.waves[0]
    assert decide(found, wave, failed("e1", region="eu") | failed("u1", region="us")) == GO_ON
    assert decide(found, wave, failed("e1", "e2", region="eu")).then == "stop"


def test_it_stops_when_no_host_became_healthy_or_the_whole_took_too_long() -> None:
    found = rollout(10, progress_deadline="1m", deadline="10m", on_exceeded="restore")
    wave = found.waves[0]
    assert decide(found, wave, {}, stalled=59.9, elapsed=599.9) == GO_ON
    assert decide(found, wave, {}, stalled=60).then == "restore"
    assert decide(found, wave, {}, elapsed=600).then == "stop", "what is done is healthy, so it stays"


AMOUNTS = st.one_of(st.integers(1, 40), st.integers(1, 100).map(lambda n: f"{n}%"))


@given(
    hosts=st.integers(1, 120),
    down=st.sets(st.integers(1, 120)),
    canary=st.one_of(st.just(0), AMOUNTS),
    parallel=AMOUNTS,
    failures=st.one_of(st.just(0), AMOUNTS),
    order=st.sampled_from(["unhealthy-first", "listed"]),
    parts=st.integers(0, 3),
    fails=st.sets(st.integers(1, 120)),
)
def test_whatever_the_strategy_is(
    hosts: int,
    down: set[int],
    canary: Any,
    parallel: Any,
    failures: Any,
    order: str,
    parts: int,
    fails: set[int],
) -> None:
    """Every host exactly once, never too many healthy ones down at once, and no new wave beyond the budget."""
    every = names(hosts)
    unhealthy = {f"h{number}" for number in down}
    regions = {host: f"r{number % parts}" for number, host in enumerate(every)} if parts else {}
    said = {"canary": canary, "max_parallel": parallel, "max_failures": failures, "order": order}
    found = resolve(Strategy.model_validate(said), every, unhealthy, regions)

    assert sorted(found.hosts) == sorted(every)
    for wave in (*found.waves, *back(found, every, unhealthy, regions)):
        assert len(wave.hosts) > 0
        assert len(set(wave.hosts) - unhealthy) <= found.share(wave.region).max_parallel
        assert {regions.get(host, "") for host in wave.hosts} == {wave.region}
    assert [wave.region for wave in found.waves] == sorted((w.region for w in found.waves), key=list(
        dict.fromkeys(wave.region for wave in found.waves)).index)  # fmt: skip
    if order == "unhealthy-first":
        for share in found.shares:
            first, *others = [wave for wave in found.waves if wave.region == share.region]
            assert not any(set(wave.hosts) & unhealthy for wave in others)
            assert first.role != "unhealthy" or set(first.hosts) <= unhealthy
    _never_beyond_the_budget(found, regions, {f"h{number}" for number in fails})


def _never_beyond_the_budget(found: Rollout, regions: dict[str, str], bad: set[str]) -> None:
    failing: dict[str, str] = {}
    begun: Wave | None = None
    for wave in found.waves:
        if decide(found, begun, failing) != GO_ON:
            break
        assert len(failing) <= found.max_failures
        begun = wave
        failing |= {host: regions.get(host, "") for host in wave.hosts if host in bad}


def test_no_wave_has_more_hosts_than_connections_whatever_their_health() -> None:
    assert sizes(rollout(250)) == [100, 100, 50]
    assert sizes(rollout(12, unhealthy=7, connections=3)) == [3, 3, 1, 3, 2]
    assert sizes(rollout(12, unhealthy=7, connections=5, order="listed", max_parallel=2)) == [5, 4, 2, 1]
