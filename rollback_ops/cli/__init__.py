"""The command line: arguments, exit codes, text, JSON and the GitHub Actions step. Decides nothing."""
