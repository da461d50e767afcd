"""The output of a host is not trusted: parsing never raises, and control characters never reach a terminal."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollback_ops.core.model import UnitState
from rollback_ops.core.text import fits_one_line
from rollback_ops.hosts import managers
from tests.support.toolbox import COMMANDS, service
from tests.unit.managers import test_compose, test_supervisor, test_systemd

REAL = test_systemd.SHOWN + "\n" + test_supervisor.SHOWN + test_compose.REAL + "\nstatus=0\n"
UNITS = ("web", "jobs", "db")


@st.composite
def garbled(draw: st.DrawFn) -> str:
    """Return real text with a piece of it replaced by random text."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(REAL))] * 2)))
    return REAL[:start] + draw(st.text(max_size=40)) + REAL[end:]


@pytest.mark.parametrize("kind", managers.KINDS)
@given(text=garbled() | st.text())
@settings(deadline=None)
@example(text="[" * 100_000)
@example(text="container|web|||9|||exited||" + "9" * 5000 + "|:::,,|\nservices|web")
@example(text="services|\nservices|a|b\nunknown||\x1b[2J\nunusable|\u202e|\nunknown")
@example(text="Id=web.service\nActiveState=active\nMainPID=" + "9" * 5000 + "\nNRestarts=\u0663")
@example(text="web RUNNING pid " + "9" * 5000 + ", uptime 0:00:01")
@example(text="Id=web.service\nActiveState=failed\nResult=\x1b[31m\u202ered\nInvocationID=\x07\x00")
@example(text="container|web|\x1b[2J|\x00|9|then|9|\u202e|\x07|0||/srv\nservices|web\nunknown|shop|\x1b")
def test_any_text_gives_units_that_can_be_shown(kind: str, text: str) -> None:
    units = managers.parse(service(kind, *UNITS, commands=COMMANDS), "rosey", text)
    assert units
    for unit in units:
        assert unit.state in get_args(UnitState)
        assert unit.pid >= 0
        assert unit.restarts >= 0
        for shown in (unit.name, unit.invocation, unit.detail, unit.blocker):
            assert fits_one_line(shown)
            assert len(shown) <= 200


@pytest.mark.parametrize("kind", managers.KINDS)
def test_a_unit_is_unknown_where_the_output_does_not_mention_it(kind: str) -> None:
    settings = service(kind, *UNITS, commands=COMMANDS)
    assert {unit.state for unit in managers.parse(settings, "rosey", "sh: 1: not found\n")} == {"unknown"}
