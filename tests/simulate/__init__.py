"""Simulated deployments: how often the judge is wrong, how fast it is, and what others' rules make of the same."""
