"""The command as people run it, against real hosts."""
