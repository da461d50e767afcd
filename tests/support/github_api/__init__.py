"""A stand-in for GitHub's API on loopback, held to GitHub's own description of it in every request and answer."""
