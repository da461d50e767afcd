"""The step of a GitHub Actions workflow that a command may run in: its log, outputs, job summary and annotations."""
