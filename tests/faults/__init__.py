"""Fault injection: rollbacks on real hosts, with a fault at every boundary of the transaction and at random instants.

``python -m tests.faults`` (``make faults``) runs it; ``judge.py`` says what counts as a loss.
"""
