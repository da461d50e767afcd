"""Errors of the lab itself."""


class LabError(Exception):
    """A host of the lab did not do what a test asked of it."""
