"""The shells that hosts have."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)
