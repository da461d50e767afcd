"""GitHub: deployments, permissions and history. Only ``api`` uses PyGithub."""
