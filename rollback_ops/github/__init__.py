"""GitHub: what the runner reads, and what the API is told. Only `api` meets PyGithub."""
