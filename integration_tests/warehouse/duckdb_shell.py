"""Run by PyAirbyte's interpreter: SQL statements in, one JSON text a line; rows out, or what went wrong.

{"sql": "SELECT 1"}  ->  {"rows": [[1]]}
"""

from __future__ import annotations

import json
import sys

import duckdb


def main() -> None:
    with duckdb.connect(sys.argv[1]) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for line in sys.stdin:
            try:
                answer = {"rows": connection.execute(json.loads(line)["sql"]).fetchall()}
            except duckdb.Error as error:
                answer = {"error": str(error)}
            print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
