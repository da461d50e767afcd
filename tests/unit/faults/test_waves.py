"""The judge of rollbacks in waves lets pass what was right, and sees each thing that was lost."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.scene import SOURCE, TARGET, Run
from tests.faults.waves import HOSTS, WavesSeen, WaveTrial, losses, matrix

ALL_DONE = (TARGET,) * HOSTS
ENDED = json.dumps({"event": "end", "id": "r", "outcome": "switched"})
# The runner was killed while the second of three hosts was being changed.
SEEN = WavesSeen(
    trial=WaveTrial("runner-killed", 2, "switch"),
    reached=True,
    first=Run("first", None),
    settled=True,
    live=(TARGET, TARGET, SOURCE),
    running=(TARGET, TARGET, SOURCE),
    resumed=Run("resume", 0),
    live_then=ALL_DONE,
    running_then=ALL_DONE,
    journals=(ENDED,) * HOSTS,
)


def test_there_are_a_hundred_of_them_and_each_is_one_of_its_kind() -> None:
    assert len(matrix()) >= 100
    assert set(Counter(matrix()).values()) == {1}


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"live": (TARGET, SOURCE, SOURCE), "running": (TARGET, SOURCE, SOURCE)},
        {
            "trial": WaveTrial("cancelled", 2, "record"),
            "first": Run("first", 143),
            "live": ALL_DONE,
            "running": ALL_DONE,
        },
        {"trial": WaveTrial("runner-killed", 2, "pause")},
    ],
)
def test_what_was_right_is_no_loss(right: dict[str, Any]) -> None:
    assert losses(replace(SEEN, **right)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": Run("first", None, hung=True)},
        {"trial": WaveTrial("cancelled", 2, "switch")},
        {"resumed": Run("resume", 0, said="error: a defect in rollback-ops: …")},
        {"settled": False},
        {"running": (TARGET, "", SOURCE)},
        {"running": (TARGET, SOURCE, SOURCE)},
        {"live": (SOURCE, TARGET, SOURCE), "running": (SOURCE, TARGET, SOURCE)},
        {"live": ALL_DONE, "running": ALL_DONE},
        {"trial": WaveTrial("runner-killed", 2, "pause"), "live": (TARGET, SOURCE, SOURCE)},
        {"resumed": Run("resume", 5)},
        {"live_then": (TARGET, TARGET, SOURCE), "running_then": (TARGET, TARGET, SOURCE)},
        {"running_then": (TARGET, TARGET, "")},
        {"journals": (ENDED, f"{ENDED}\n{ENDED}", ENDED)},
        {"journals": (ENDED, "", ENDED)},
    ],
)
def test_each_thing_that_was_lost_is_seen(wrong: dict[str, Any]) -> None:
    assert losses(replace(SEEN, **wrong))
