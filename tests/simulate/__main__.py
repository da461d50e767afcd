"""``make simulate``: print the tables of docs/evidence.md, "Is the new release worse?" and "Very many hosts".

python -m tests.simulate [WINDOWS [SEED]]
python -m tests.simulate fleets [SEED]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

from rollback_ops.core.intervals import share_at_most
from rollback_ops.engine.analysis.judge import judge
from rollback_ops.engine.analysis.values import Rules
from tests.simulate import fleets
from tests.simulate.others import Kayenta, argo, flagger
from tests.simulate.worlds import Window, World, windows

Rule = Callable[[Window], float | None]

HEALTHY = {
    "steady": World(50),
    "steady, little traffic": World(5),
    "steady, very little traffic": World(1),
    "bursts of 10": World(50, burst=10),
    "bursts of 10, little traffic": World(5, burst=10),
    "the hour drifts, σ 0.3": World(50, drift=0.3),
    "five times the errors in the warm-up": World(50, warming=5),
    "three ticks of ten are missing": World(50, missing=0.3),
    "all of it, little traffic": World(5, burst=3, drift=0.3, warming=5, missing=0.3),
}
TRAFFIC = (1, 5, 50)
TIMES = (3, 5, 10)


def judged(baseline: str) -> Rule:
    """Return the judge as a rule: the seconds after the warm-up until it rolls back."""
    rules = Rules(baseline="control" if baseline == "control" else "before")

    def rule(window: Window) -> float | None:
        found = judge(window.ticks, rules, window.before)
        return found.ended_at - rules.warm_up if found.verdict == "worse" else None

    return rule


OURS: dict[str, Rule] = {"control": judged("control"), "before": judged("before")}
OTHERS: dict[str, Rule] = {
    "Argo, 99 %": lambda window: argo(window, 0.99, 0),
    "Argo, 95 %": lambda window: argo(window, 0.95, 3),
    "Flagger": flagger,
    "Kayenta": Kayenta(),
}


def main() -> None:
    if sys.argv[1:2] == ["fleets"]:
        fleets.main(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
        return
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rules = OURS | OTHERS
    print(f"\nHealthy releases that were rolled back, of {many:,}:\n")
    print(_row(["healthy release", "req/s", *rules]), _row(["---"] * (len(rules) + 2)), sep="\n")
    for name, world in HEALTHY.items():
        simulated = windows(world, many, seed)
        shares = [_share([rule(window) for window in simulated]) for rule in rules.values()]
        print(_row([name, f"{world.per_second:g}", *shares]), flush=True)
    fewer = many // 5
    print(f"\nBad releases that were rolled back within ten minutes, of {fewer:,}, and after how long (median):\n")
    print(_row(["bad release", "req/s", *rules]), _row(["---"] * (len(rules) + 2)), sep="\n")
    for per_second in TRAFFIC:
        for times in TIMES:
            _caught(f"{times} times the errors", World(per_second, times=times), fewer, seed)
    _caught("10 times, in bursts of 10", World(50, times=10, burst=10), fewer, seed)
    _caught("10 times, after five minutes", World(50, times=10, late=300), fewer, seed)


def _caught(name: str, world: World, many: int, seed: int) -> None:
    simulated = windows(world, many, seed)
    cells = [_times([rule(window) for window in simulated]) for rule in (OURS | OTHERS).values()]
    print(_row([name, f"{world.per_second:g}", *cells]), flush=True)


def _share(ends: Sequence[float | None]) -> str:
    wrong = sum(end is not None for end in ends)
    most = share_at_most(wrong, len(ends))
    return f"{wrong / len(ends):.2%} (≤ {most:.2%})".replace("%", " %")


def _times(ends: Sequence[float | None]) -> str:
    found = [end for end in ends if end is not None]
    if len(found) < len(ends) / 100:
        return "–"
    return f"{len(found) / len(ends):.0%}, {np.median(found):g} s".replace("%", " %")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
