"""The agent, which is the program that runs on a host: its text, its requests and its answers."""
