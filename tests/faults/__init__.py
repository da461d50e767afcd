"""The fault matrix: rollbacks on real hosts, spoilt at every boundary of the transaction and at random instants.

``python -m tests.faults`` (``make faults``) runs it; ``judge.py`` says what counts as a loss.
"""
