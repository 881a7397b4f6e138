"""`make demo`: both streams into a DuckDB file through PyAirbyte, from a local exchange or from Binance.

It runs in PyAirbyte's own environment and starts the connector from the other one, as PyAirbyte does for every user.
"""
