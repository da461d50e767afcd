"""GitHub's API: deployments, permissions and history. Only ``api`` uses PyGithub."""
