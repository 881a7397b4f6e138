-- The book tickers as numbers, in a table that is cheap to ask: by day, and within a day by contract.
-- A side without an order (price or quantity is empty or zero) is null. Prices are exact, up to 9 decimals.
CREATE OR REPLACE TABLE quotes
PARTITION BY DATE(received_at)
CLUSTER BY symbol
AS SELECT
    symbol,
    u,
    TIMESTAMP_MILLIS(event_time) AS event_at,
    TIMESTAMP_MICROS(received_at_us) AS received_at,
    TIMESTAMP_MICROS(covered_since_us) AS covered_since,
    IF(SAFE_CAST(best_bid_qty AS FLOAT64) = 0, NULL, NULLIF(SAFE_CAST(best_bid_price AS NUMERIC), 0)) AS bid,
    SAFE_CAST(best_bid_qty AS FLOAT64) AS bid_qty,
    IF(SAFE_CAST(best_ask_qty AS FLOAT64) = 0, NULL, NULLIF(SAFE_CAST(best_ask_price AS NUMERIC), 0)) AS ask,
    SAFE_CAST(best_ask_qty AS FLOAT64) AS ask_qty
FROM book_tickers
WHERE symbol IS NOT NULL AND u IS NOT NULL AND received_at_us IS NOT NULL;
