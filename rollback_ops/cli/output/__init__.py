"""How a result is shown: as text, on a terminal, or as one JSON document."""
