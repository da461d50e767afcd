"""The agent, the program that runs on a host: its text, how it is asked, and how its answers are read."""
