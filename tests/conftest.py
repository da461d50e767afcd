"""Fixtures for every test."""

import signal
from collections import Counter
from collections.abc import Iterator
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support import command

# A shell starts what it runs in the background with SIGINT ignored, and processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that is busy with other things is no defect of what is tested. Each run tries the same examples, so that a
# change is judged by what it does; `make long` tries new ones, and more of them.
settings.register_profile("same", parent=settings(), deadline=None, derandomize=True, max_examples=40)
settings.register_profile("new", parent=settings(), deadline=None, max_examples=200)
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", type=Path, help="run the files that no other process with this directory has taken")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With ``--share``, take one file after the other: whoever is done first takes the next, so all end together.

    For thousands of short tests the messages of xdist cost a quarter of the whole.
    """
    share: Path | None = session.config.getoption("share")
    if share is None or session.testsfailed or session.config.option.collectonly:
        return None
    own = (
        item
        for path, file in groupby(session.items, key=lambda item: item.path)
        if _taken(share, path)
        for item in file
    )
    for item, following in pairwise(chain(own, [None])):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail or session.shouldstop:
            raise session.Interrupted(session.shouldfail or session.shouldstop)
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``loadgroup``, give the unit tests out by the file: one after the other costs as much as many of them."""
    from xdist.scheduler import LoadGroupScheduling

    class ByTheFile(LoadGroupScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0] if nodeid.startswith("tests/unit/") else super()._split_scope(nodeid)

    return ByTheFile(config, log) if config.getvalue("dist") == "loadgroup" else None


def _taken(share: Path, path: Path) -> bool:
    try:
        (share / str(path.relative_to(_HERE)).replace("/", ".")).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _lane(item: pytest.Item) -> str:
    return item.path.relative_to(_HERE).parts[0] if item.path.is_relative_to(_HERE) else ""
