"""Puts a service back on its last known good release, over SSH, in seconds."""

__version__ = "0.1.0"
