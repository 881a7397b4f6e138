-- The tables of two sources that capture the same contracts in windows half a window apart, each update once. Of two
-- copies the one whose capture reaches back further stays, so that coverage.sql sees both captures touch. Rows without
-- a symbol or an id are nobody's copies.
CREATE OR REPLACE VIEW all_book_tickers AS
SELECT
    event_type, u, symbol, pair, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty,
    transaction_time, event_time, symbol_type, received_at_us, covered_since_us
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY symbol, u ORDER BY covered_since_us NULLS LAST, received_at_us NULLS LAST
        ) AS copy
    FROM (
        SELECT
            event_type, u, symbol, pair, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty,
            transaction_time, event_time, symbol_type, received_at_us, covered_since_us
        FROM even_book_tickers
        UNION ALL
        SELECT
            event_type, u, symbol, pair, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty,
            transaction_time, event_time, symbol_type, received_at_us, covered_since_us
        FROM odd_book_tickers
    ) AS both_tables
) AS numbered
WHERE copy = 1 OR symbol IS NULL OR u IS NULL;
