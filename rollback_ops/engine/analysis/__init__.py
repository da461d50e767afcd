"""Judges from counts whether the new release is worse, with a bounded rate of wrong rollbacks. Pure."""
