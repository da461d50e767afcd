"""What every test may use."""

import signal
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support import command

# A shell starts what it runs in the background with SIGINT ignored, and processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that is busy with other things is no defect of what is tested. Each run tries the same examples, so that a
# change is judged by what it does; `make long` tries new ones.
settings.register_profile("same", parent=settings(), deadline=None, derandomize=True)
settings.register_profile("new", parent=settings(), deadline=None)
settings.load_profile("same")

_HERE = Path(__file__).parent

pytest_plugins = ["tests.support.lab.fixtures"]


@pytest.fixture(autouse=True)
def no_command_outlives_its_test() -> Iterator[None]:
    yield
    command.end_all()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files of each lane over the whole run: tests of real hosts mostly wait while the others compute.

    Tests that must run one after the other come first, so that nobody waits for them at the end.
    """
    lanes = Counter(_lane(item) for item in items)
    before: Counter[str] = Counter()
    placed: list[tuple[float, list[pytest.Item]]] = []
    for _, tests in groupby(list(items), key=lambda item: item.path):
        file = list(tests)
        lane = _lane(file[0])
        in_turn = file[0].get_closest_marker("xdist_group") is not None
        placed.append((-1.0 if in_turn else before[lane] / lanes[lane], file))
        before[lane] += len(file)
    items[:] = [item for _, file in sorted(placed, key=lambda each: each[0]) for item in file]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``loadgroup``, give the unit tests out by the file: one after the other costs as much as many of them."""
    from xdist.scheduler import LoadGroupScheduling

    class ByTheFile(LoadGroupScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0] if nodeid.startswith("tests/unit/") else super()._split_scope(nodeid)

    return ByTheFile(config, log) if config.getvalue("dist") == "loadgroup" else None


def _lane(item: pytest.Item) -> str:
    return item.path.relative_to(_HERE).parts[0] if item.path.is_relative_to(_HERE) else ""
