"""How good the number of ``outlook`` is on a public table of changes: each part of it is the history of a service.

python -m tests.simulate.outlook FILE…

The files are those of McIntosh and Kamei ("Are fix-inducing changes a moving target?", TSE 2018), as the package
foxplainer 0.2.0 on PyPI has them: ``pip download --no-deps foxplainer==0.2.0``, then ``foxplainer/dataset/*.csv`` of
the wheel. A change with ``defect`` stands for a deployment that failed, ``la`` are its added lines.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rollback_ops.core.prediction import LEAST_CASES, LEAST_FAILURES, Case, fit, report_card

# Deployments of one history; those after SEEN are what is predicted from the ones before.
LENGTH, SEEN = 300, 200


def main() -> None:
    print("| table | histories | skill, pooled (95 %) | a number is shown | skill of what was shown (95 %) |")
    print("|---|---|---|---|---|")
    for name in sys.argv[1:]:
        with Path(name).open() as file:
            cases = [Case(int(float(row["la"])), row["defect"] == "True") for row in csv.DictReader(file)]
        parts = [cases[i : i + LENGTH] for i in range(0, len(cases) - LENGTH + 1, LENGTH)]
        every, shown = [], []
        for part in parts:
            seen, later = part[:SEEN], part[SEEN:]
            card = report_card(seen)
            score = _scores(seen, later)
            every.append(score)
            enough = len(seen) >= LEAST_CASES and sum(case.failed for case in seen) >= LEAST_FAILURES
            if card and enough and card.skill > 0:
                shown.append(score)
        share = f"{len(shown)} of {len(parts)}"
        print(f"| {Path(name).stem} | {len(parts)} | {_pooled(every)} | {share} | {_pooled(shown)} |", flush=True)


def _scores(seen: Sequence[Case], later: Sequence[Case]) -> tuple[float, float]:
    """Return the sums of squares of the model and of the base rate, both from what was seen."""
    model, rate = fit(seen), (sum(case.failed for case in seen) + 0.5) / (len(seen) + 1)
    ours = sum((model.chance(case.added) - case.failed) ** 2 for case in later)
    return ours, sum((rate - case.failed) ** 2 for case in later)


def _pooled(scores: Sequence[tuple[float, float]]) -> str:
    """Return the skill over all histories, with a bootstrap interval over histories (2,000 draws, seed 1)."""
    if not scores:
        return "–"
    found, draw = np.array(scores), np.random.default_rng(1)
    drawn = found[draw.integers(0, len(found), (2000, len(found)))].sum(axis=1)
    low, high = np.quantile(1 - drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    ours, base = found.sum(axis=0)
    return f"{1 - ours / base:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
