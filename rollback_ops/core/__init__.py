"""Pure: what a rollback is made of, and what is decided from it. Imports nothing else of this package."""
