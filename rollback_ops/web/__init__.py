"""The dashboard: pages about what the commands found. It decides nothing."""
