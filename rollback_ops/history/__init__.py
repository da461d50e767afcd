"""What happened before: records read back from where they were left, newest first, and their statistics."""
