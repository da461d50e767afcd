"""Is the new release worse? Counts in, a verdict out: pure, with a bounded rate of wrong rollbacks."""
