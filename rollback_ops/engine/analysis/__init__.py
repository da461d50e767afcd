"""Is the new release worse? Takes counts and returns a verdict, with a bounded rate of wrong rollbacks. Pure."""
