"""One module for each command: it connects the parts, runs them and returns a result. Prints nothing."""
