"""What every test may use."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support import command

# A shell starts what it runs in the background with SIGINT ignored, and processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that is busy with other things is no defect of what is tested.
settings.register_profile("busy", parent=settings(), deadline=None)
settings.load_profile("busy")

pytest_plugins = ["tests.support.lab.fixtures"]


@pytest.fixture(autouse=True)
def no_command_outlives_its_test() -> Iterator[None]:
    yield
    command.end_all()
