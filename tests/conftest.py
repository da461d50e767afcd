"""What every test may use."""

from hypothesis import settings

# A machine that is busy with other things is no defect of what is tested.
settings.register_profile("busy", parent=settings(), deadline=None)
settings.load_profile("busy")

pytest_plugins = ["tests.support.lab.fixtures"]
