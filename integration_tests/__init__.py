"""The connector as a process against a local exchange."""
