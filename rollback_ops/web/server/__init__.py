"""The dashboard as a server on loopback: who may use it, and the rollbacks that it starts."""
