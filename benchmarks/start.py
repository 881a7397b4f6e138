"""How long nobody listens: `python -m benchmarks.start` measures it against the local exchange; median of ten each.

Ten contracts at 500 updates a second, both streams selected. From the start of a process to the first handshake, with
prices answered at once and after five seconds; the hole between two windows one after the other, by the rows; from the
end of the window to the end of the process; all beside `import airbyte_cdk`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from integration_tests.harness.connector import COMMAND, FULL_REFRESH, INCREMENTAL, Connector
from local_exchange import Delayed, LocalExchange

ROUNDS = 10
SECONDS = 5  # of a window: longer than the imports take, or its end would wait for them
ONE_PRICE = {"status": 200, "result": [{"symbol": "BTCUSDT", "price": "86136.0", "time": 1790373637547}]}


def import_seconds() -> float:
    """Return the seconds that a process takes which imports the CDK and ends."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import airbyte_cdk"], check=True)
    return time.monotonic() - began


def windows(
    exchange: LocalExchange, count: int, price_delay: float = 0.0
) -> tuple[list[float], list[float], list[float]]:
    """Return of so many windows the seconds to the first handshake, of each hole, and from the last row to the end."""
    starts: list[float] = []
    holes: list[float] = []
    ends: list[float] = []
    last_row: int | None = None
    state = None
    config = {"environment": exchange.environment(), "listen_seconds": SECONDS}
    with tempfile.TemporaryDirectory() as folder, Connector(Path(folder), COMMAND) as connector:
        for _ in range(count):
            if price_delay:
                exchange.script_answer(Delayed(ONE_PRICE, price_delay))
            before, began = len(exchange.every_connection), time.monotonic()
            running = connector.start_read(config, book_tickers=INCREMENTAL, symbol_prices=FULL_REFRESH, state=state)
            exchange.wait_for(lambda: len(exchange.every_connection) > before, 60)  # noqa: B023
            starts.append(time.monotonic() - began)
            running.process.wait(120)
            ended = time.time_ns() // 1000
            output = running.finish(check_records=False)
            received = [row["received_at_us"] for row in output.records("book_tickers")]
            if last_row is not None:
                holes.append((received[0] - last_row) / 1e6)
            last_row = received[-1]
            ends.append((ended - last_row) / 1e6)
            state = output.states[-1:]
    return starts, holes, ends


def show(what: str, seconds: list[float], beside: float) -> None:
    """Print the median, the lowest and highest, and the ratio to the import of the CDK."""
    middle = median(seconds)
    print(f"{what:<45} {middle:6.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), {middle / beside:.2f} of the import")


def main() -> None:
    """Print the figures."""
    imports = [import_seconds() for _ in range(ROUNDS)]
    beside = median(imports)
    show("import airbyte_cdk", imports, beside)
    with LocalExchange(rate=500.0, mix_usds_margined=False, sample_every=None) as exchange:
        starts, holes, ends = windows(exchange, ROUNDS + 1)
        show("start to first connection", starts, beside)
        show("hole between two windows", holes, beside)
        show("last row to the end of the process", ends, beside)
        starts, _, _ = windows(exchange, ROUNDS, price_delay=5.0)
        show("start to first connection, prices take 5 s", starts, beside)


if __name__ == "__main__":
    main()
