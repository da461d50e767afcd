"""The shells that hosts have."""

from __future__ import annotations

import pytest


# Where a file has nothing of its own to say of it, BusyBox has its turn in `make long`.
@pytest.fixture(params=["dash", pytest.param("busybox", marks=pytest.mark.long)])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)
