"""Renders results: as text, on a terminal, or as one JSON document."""
