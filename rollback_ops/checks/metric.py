"""The ``metric`` check: counts of all events and of the bad ones among them, as a host counts them.

It does not judge: ``engine.metrics`` watches the counts of all hosts for a while, and ``engine.analysis`` judges. Each
question prints two numbers, ``bad total``, since the service's start or any other moment. Only differences count, and a
number that falls is a counter that was reset.
"""

from __future__ import annotations

import math
import re
import shlex

from rollback_ops.checks.logs import journal_reader
from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer
from rollback_ops.core.model import CommandResult, HostCommand

_TIMED_OUT = (124, 137)
_TWO_NUMBERS = re.compile(r"\s*(\S+)\s+(\S+)\s*")


def question_of(settings: MetricCheck) -> HostCommand | None:
    """Return the question for hosts; None when the numbers are not on the hosts."""
    if settings.source == "prometheus":
        return None
    if settings.source == "command":
        return HostCommand(settings.run, settings.timeout)
    return HostCommand(_COUNT.format(read=_reader(settings), **_patterns(settings)), settings.timeout)


def counted(answered: CommandResult | None, timeout: float) -> tuple[float, float]:
    """Return the bad events and all events that a host counts. Raises ``BadAnswer`` when the answer has no numbers."""
    if answered is None or answered.status < 0:
        raise BadAnswer("the host did not report the numbers")
    if answered.status in _TIMED_OUT:
        raise BadAnswer(f"counting did not end within {timeout:g} s")
    last = answered.lines[-1] if answered.lines else ""
    if answered.status:
        raise BadAnswer(f"the numbers cannot be read (exit status {answered.status}): {last}")
    found = _TWO_NUMBERS.fullmatch(last)
    try:
        bad, total = (float(number) for number in found.groups()) if found else (math.nan, math.nan)
    except ValueError:
        bad = total = math.nan
    if not (math.isfinite(total) and 0 <= bad <= total):
        raise BadAnswer(f"{last!r} should be two numbers, bad and total, with bad at most total")
    return bad, total


def _patterns(settings: MetricCheck) -> dict[str, str]:
    return {"errors": shlex.quote(settings.errors), "total": shlex.quote(settings.total)}


def _reader(settings: MetricCheck) -> str:
    if settings.source == "journal":
        return journal_reader()
    path = shlex.quote(settings.file)
    log = path if settings.file.startswith("/") else f'"$ROLLBACK_ROOT"/{path}'
    return f'log={log}\n[ -r "$log" ] || why \'it cannot be read\'\nread_log() {{ cat -- "$log"; }}\n'


# The bad ones are counted first: what is written meanwhile never makes them more than all.
_COUNT = """\
STATE=$2 LC_ALL=C
why() {{ printf '%s\\n' "$1"; exit 3; }}
for pattern in {errors} {total}; do
    wrong=$(echo | grep -aE -e "$pattern" 2>&1)
    case $?$wrong in 0 | 1) ;; *) why "grep does not understand the pattern: $wrong" ;; esac
done
{read}
bad=$(read_log | grep -aE -e {total} | grep -acE -e {errors})
total=$(read_log | grep -acE -e {total})
echo "$bad $total"
"""
