"""The dashboard as a server on loopback: access, pages, and the rollbacks that it starts."""
