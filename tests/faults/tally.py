"""Counts of a run of the matrix, as the report prints them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, floor

from tests.faults.gates import BOUNDARIES
from tests.faults.injuries import AT_RANDOM, FAULTS, strikes


@dataclass(frozen=True)
class Judged:
    """A trial by the name that repeats it (``--only``), and what it lost."""

    fault: str
    where: str
    name: str
    losses: tuple[str, ...] = ()


def lower_bound(trials: int, lost: int, confidence: float = 0.95) -> float:
    """The exact (Clopper-Pearson) one-sided lower bound of the share of trials that lose nothing.

    It is the share with which as few losses as these, or fewer, come up in ``1 - confidence`` of all runs; without
    a loss that is ``(1 - confidence) ** (1 / trials)``. Nothing is known from no trials.
    """
    if lost >= trials:
        return 0.0
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        few = sum(_binomial(trials, k, 1 - middle) for k in range(lost + 1))
        low, high = (middle, high) if few < 1 - confidence else (low, middle)
    return low


def _binomial(trials: int, hits: int, share: float) -> float:
    return float(comb(trials, hits)) * share**hits * (1 - share) ** (trials - hits)


def report(judged: Sequence[Judged]) -> str:
    """The table of trials, the losses with the names that repeat them, and the bound."""
    trials, lost = len(judged), [one for one in judged if one.losses]
    lines = [table(judged), ""]
    for one in lost:
        lines += [f"LOST {one.name}", *(f"  {loss}" for loss in one.losses)]
    # A lower bound is never rounded up.
    percent = floor(10_000 * lower_bound(trials, len(lost))) / 100
    bound = f"with 95 % confidence at least {percent:.2f} % lose nothing"
    lines.append(f"{trials} faults injected, {len(lost)} lost something: {bound}")
    return "\n".join(lines)


def table(judged: Sequence[Judged]) -> str:
    """Trials by fault and boundary, as Markdown; ``2/1`` means that one of two lost something."""
    wheres = (*BOUNDARIES, AT_RANDOM)
    counts = Counter((one.fault, one.where) for one in judged)
    lost = Counter((one.fault, one.where) for one in judged if one.losses)
    rows = [f"| fault | {' | '.join(wheres)} | all |", f"|---|{'---|' * (len(wheres) + 1)}"]
    for fault in FAULTS:
        cells = [_cell(fault, where, counts, lost) for where in wheres]
        rows.append(f"| {fault} | {' | '.join(cells)} | {sum(counts[fault, where] for where in wheres)} |")
    return "\n".join(rows)


def _cell(fault: str, where: str, counts: Mapping[tuple[str, str], int], lost: Mapping[tuple[str, str], int]) -> str:
    if not strikes(fault, where):
        return ""
    count, losses = counts.get((fault, where), 0), lost.get((fault, where), 0)
    return f"{count}/{losses}" if losses else str(count)
