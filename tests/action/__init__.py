"""The action: its scripts run for real, and what is written in it held to what is written elsewhere."""
