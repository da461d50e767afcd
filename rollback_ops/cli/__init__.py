"""What is typed, and what is shown: arguments, exit codes, text, JSON and the GitHub Actions step. Decides nothing."""
