-- The newest best bid and ask of each symbol, as text exactly as Binance sent it, and when that was.
SELECT DISTINCT ON (symbol)
    symbol,
    best_bid_price,
    best_bid_qty,
    best_ask_price,
    best_ask_qty,
    to_timestamp(CAST(event_time AS DOUBLE PRECISION) / 1000) AS event_at
FROM (SELECT symbol, max(u) AS u FROM book_tickers GROUP BY symbol) AS newest
JOIN book_tickers USING (symbol, u)
ORDER BY symbol, received_at_us;
