"""Workflows and the action, run by act: for real, but for the runner's own machinery and the actions of others."""
