"""Real hosts for tests: Debian or Ubuntu with systemd and sshd, each in its own namespaces, in about a second."""
