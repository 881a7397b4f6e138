-- The newest best bid and ask of each symbol, as text exactly as Binance sent it, and when that was.
SELECT
    symbol,
    best_bid_price,
    best_bid_qty,
    best_ask_price,
    best_ask_qty,
    to_timestamp(event_time / 1000.0) AS event_at
FROM (
    SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY u DESC) AS age
    FROM book_tickers
) AS numbered
WHERE age = 1
ORDER BY symbol;
