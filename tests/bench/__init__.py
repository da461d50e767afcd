"""Speed, measured and not asserted: each figure is a ratio to plain ``ssh`` (or systemctl) in the same run."""
