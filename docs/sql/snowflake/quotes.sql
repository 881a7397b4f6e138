-- The book tickers as numbers, in a table that is cheap to ask: by day, and within a day by contract.
-- A side without an order (price or quantity is empty or zero) is null. Prices are exact, up to 8 decimals, below 10^10.
CREATE OR REPLACE TABLE quotes
CLUSTER BY (TO_DATE(received_at), symbol)
AS SELECT
    symbol,
    u,
    TO_TIMESTAMP_NTZ(event_time, 3) AS event_at,
    TO_TIMESTAMP_NTZ(received_at_us, 6) AS received_at,
    TO_TIMESTAMP_NTZ(covered_since_us, 6) AS covered_since,
    IFF(TRY_TO_DOUBLE(best_bid_qty) = 0, NULL, NULLIF(TRY_TO_DECIMAL(best_bid_price, 18, 8), 0)) AS bid,
    TRY_TO_DOUBLE(best_bid_qty) AS bid_qty,
    IFF(TRY_TO_DOUBLE(best_ask_qty) = 0, NULL, NULLIF(TRY_TO_DECIMAL(best_ask_price, 18, 8), 0)) AS ask,
    TRY_TO_DOUBLE(best_ask_qty) AS ask_qty
FROM book_tickers
WHERE symbol IS NOT NULL AND u IS NOT NULL AND received_at_us IS NOT NULL;
