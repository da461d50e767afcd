"""The lab as fixtures. Load it with ``-p tests.support.lab.fixtures`` or ``pytest_plugins``.

``lab`` and ``host`` live for the whole run and are shared: give each test a service of its own with
``deploy``, and take ``fresh_host`` for what would disturb others (power, network, sshd, the clock).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab, blocker


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of real hosts: their fixtures ask for ``lab``; a parameter named ``host`` does not."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker("hosts")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The run's own network of real hosts."""
    missing = blocker()
    if missing:
        reason = f"real hosts cannot be made here, {missing} is missing: run `make test` as root on Debian or Ubuntu"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with Lab() as made:
        yield made


@pytest.fixture(scope="session")
def hosts(lab: Lab) -> Callable[[int], list[LabHost]]:
    """``hosts(3)``: three booted hosts, the same ones for whoever asks. ``host`` is the first."""
    booted: list[LabHost] = []

    def first(count: int) -> list[LabHost]:
        booted.extend(lab.boot_all(f"host{n + 1}" for n in range(len(booted), count)))
        return booted[:count]

    return first


@pytest.fixture(scope="session")
def host(hosts: Callable[[int], list[LabHost]]) -> LabHost:
    """A booted host that the whole run shares."""
    return hosts(1)[0]


@pytest.fixture
def fresh_host(lab: Lab, request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A host for this test alone."""
    with lab.boot("fresh") as booted:
        yield booted


@pytest.fixture
def deploy(host: LabHost) -> Iterator[Callable[..., Deployed]]:
    """``host.deploy`` on the shared host; what it started is ended with the test."""
    deployed: list[Deployed] = []

    def on_the_shared_host(name: str = "", **plan: Any) -> Deployed:
        deployed.append(host.deploy(name, **plan))
        return deployed[-1]

    yield on_the_shared_host
    for one in deployed:
        one.remove()
