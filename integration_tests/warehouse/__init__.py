"""Warehouses for the tests: a DuckDB file and a PostgreSQL server, loaded by PyAirbyte with the code of the docs."""
