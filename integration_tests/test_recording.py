"""Recorded frames through a real socket come out record for record."""

from __future__ import annotations

from typing import Any

import orjson

from local_exchange import LocalExchange

from .harness.connector import DEADLINE, FIELDS, INCREMENTAL, ROOT, Connector

RECORDINGS = ROOT / "local_exchange" / "recordings"


def record_of(frame: bytes | str) -> dict[str, Any]:
    """The record as the CDK writes it: what is null, such as the symbol type before the merge, is left out.

    Of our own fields, one is the time of the read, and the other is null for what the all-market stream brings.
    """
    content = orjson.loads(frame)
    content = content.get("data", content)
    return {field: content[key] for field, key in FIELDS.items() if key in content}


def as_sent(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without the time of the read, which each has."""
    assert all(record["received_at_us"] > 1_700_000_000_000_000 for record in records)
    return [{field: value for field, value in record.items() if field != "received_at_us"} for record in records]


def test_all_recorded_updates_each_once_in_order_and_exact(connector: Connector) -> None:
    path = RECORDINGS / "coin_m_20210417.jsonl"
    recorded = [record_of(orjson.loads(line)["frame"]) for line in path.read_bytes().splitlines()]
    assert len(recorded) == 1000
    with LocalExchange(recording=path, speed=10, sample_every=None) as exchange:
        config = {
            "environment": exchange.environment(),
            "book_ticker_pace": "sampled",
            "listen_seconds": 60,
            "max_book_tickers": len(recorded),
        }
        output = connector.read(config, book_tickers=INCREMENTAL)
        mixed_in = len(exchange.pushed) - len(recorded)
    assert output.exit_code == 0
    assert as_sent(output.records("book_tickers")) == recorded
    assert mixed_in > 300
    (summary,) = [line for line in output.logs("INFO") if line.startswith("Captured")]
    assert summary.startswith("Captured 1000 updates of 10 symbols")
    assert "known already" not in summary
    assert "Event times from 2021-04-17 16:38:00.023 UTC to 2021-04-17 16:38:03.827" in summary


def test_single_frames_of_2026(connector: Connector) -> None:
    """Both markets, raw and wrapped, some twice and not in order: only what is COIN-M and new comes out."""
    frames = (RECORDINGS / "single_frames_2026.jsonl").read_bytes().splitlines()
    assert len(frames) == 12
    with LocalExchange(rate=0, sample_every=None) as exchange:
        config = {"environment": exchange.environment(), "book_ticker_pace": "sampled", "max_book_tickers": 2}
        running = connector.start_read(config, book_tickers=INCREMENTAL)
        exchange.wait_for(lambda: exchange.connections, DEADLINE)
        exchange.push(*frames, b'{"u":1,"s":"LASTUSD_PERP"}')
        output = running.finish()
    assert output.exit_code == 0
    # Of BTCUSD_PERP, only the first frame is new: the others are older, or the same.
    assert as_sent(output.records("book_tickers")) == [record_of(frames[0]), {"u": 1, "symbol": "LASTUSD_PERP"}]
    (summary,) = [line for line in output.logs("INFO") if line.startswith("Captured")]
    assert "Skipped without loss: 3 known already, 8 of other contracts." in summary
