-- The book tickers as numbers, in a table that is fast to ask: create it, and fill it again when there is more to ask.
-- A side without an order (price or quantity is empty or zero) is null. Prices are exact, up to 8 decimals, below 10^10.
CREATE OR REPLACE TABLE quotes
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_at)
ORDER BY (symbol, u)
AS SELECT
    assumeNotNull(symbol) AS symbol,
    assumeNotNull(u) AS u,
    fromUnixTimestamp64Milli(event_time, 'UTC') AS event_at,
    fromUnixTimestamp64Micro(assumeNotNull(received_at_us), 'UTC') AS received_at,
    fromUnixTimestamp64Micro(covered_since_us, 'UTC') AS covered_since,
    if(toFloat64OrNull(best_bid_qty) = 0, NULL, nullIf(toDecimal64OrNull(best_bid_price, 8), 0)) AS bid,
    toFloat64OrNull(best_bid_qty) AS bid_qty,
    if(toFloat64OrNull(best_ask_qty) = 0, NULL, nullIf(toDecimal64OrNull(best_ask_price, 8), 0)) AS ask,
    toFloat64OrNull(best_ask_qty) AS ask_qty
FROM (
    -- Within, since outside `symbol` would mean the new column, which is never null.
    SELECT * FROM book_tickers WHERE symbol IS NOT NULL AND u IS NOT NULL AND received_at_us IS NOT NULL
);
