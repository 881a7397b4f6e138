"""Run by the interpreter of `make clickhouse`, which alone has chdb and sqlglot: requests in, one JSON text a line.

{"sql": "SELECT 1"}                                 ->  {"rows": [[1]]}             ClickHouse, in this process
{"sql": "SELECT 1", "translate_from": "bigquery"}   ->  {"rows": [["SELECT 1"]]}    the same in DuckDB's words
"""

from __future__ import annotations

import json
import sys
from typing import Any

import sqlglot
from chdb import session

SETTINGS = "output_format_json_quote_decimals = 1, output_format_json_quote_64bit_integers = 0"


def main() -> None:
    clickhouse = session.Session()
    for setting in SETTINGS.split(", "):
        clickhouse.query(f"SET {setting}")
    clickhouse.query("CREATE DATABASE examples")
    clickhouse.query("USE examples")
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"rows": answered(clickhouse, **json.loads(line))}
        except Exception as error:  # chdb raises RuntimeError, sqlglot its own: the test that asked shows either
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def answered(clickhouse: session.Session, sql: str, translate_from: str | None = None) -> list[list[Any]]:
    if translate_from is not None:
        return [sqlglot.transpile(sql, read=translate_from, write="duckdb", error_level=sqlglot.ErrorLevel.RAISE)]
    rows = str(clickhouse.query(sql, "JSONCompactEachRow"))
    return [json.loads(row) for row in rows.splitlines() if row.startswith("[")]


if __name__ == "__main__":
    main()
