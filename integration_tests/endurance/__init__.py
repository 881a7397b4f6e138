"""Runs that last as long as one likes: soak and chaos."""
