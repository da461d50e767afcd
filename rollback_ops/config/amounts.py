"""Numbers of hosts in a strategy: counts, or percentages. A ``ValueError`` follows the name of the key."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import PlainValidator

from rollback_ops.config.types import After, Before, parse_duration
from rollback_ops.core.rollout import Amount

_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s?%", re.ASCII)
_WORDS = 'should be a number of hosts, like 2, or a percentage of them, like "25%"'
# A job of GitHub lasts six hours at most.
_LONGEST_RUN = 6 * 3600.0


def parse_amount(value: object) -> Amount:
    """Convert a count (``2``) or a percentage (``"25%"``). Raises ``ValueError`` for what is neither."""
    if isinstance(value, Amount):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= 1_000_000:
            raise ValueError(f"{_WORDS}, and not negative")
        return Amount(value)
    if not isinstance(value, str):
        raise ValueError(_WORDS)
    text = value.strip()
    if text.isdecimal():
        raise ValueError(f'{_WORDS}: write {text} without quotes, or "{text}%"')
    found = _PERCENTAGE.fullmatch(text)
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError(f"{_WORDS}; a percentage is more than 0 % and at most 100 %")
    return Amount(float(found[1]), percent=True)


def _some(amount: Amount) -> Amount:
    if amount.number == 0:
        raise ValueError("should be at least 1: with 0 no host would ever be changed")
    return amount


def _within_a_job(seconds: float) -> float:
    if not 0 < seconds <= _LONGEST_RUN:
        raise ValueError("should be longer than 0 seconds, and at most six hours (360m)")
    return seconds


Hosts = Annotated[Amount, PlainValidator(parse_amount)]
SomeHosts = Annotated[Hosts, After(_some)]
LongLimit = Annotated[float, Before(parse_duration), After(_within_a_job)]
