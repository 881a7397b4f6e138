"""How long each file of docs/sql takes over five million rows, in DuckDB and in PostgreSQL."""
