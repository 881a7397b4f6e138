"""Warehouses for the tests: a DuckDB file and a PostgreSQL server, loaded by PyAirbyte with the code of the docs.

    postgres       a PostgreSQL 18 of our own on loopback
    databases      one way to ask both
    loading        the load: two syncs into each, while a local exchange pushes

Two files run in PyAirbyte's interpreter, which knows neither the connector nor the tests:

"""
