-- The tables of two sources that capture the same contracts in windows half a window apart, each update once. Of two
-- copies the one whose capture reaches back further stays, so that coverage.sql sees both captures touch.
CREATE OR REPLACE VIEW all_book_tickers AS
SELECT DISTINCT ON (symbol, u) *
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
ORDER BY symbol, u, covered_since_us NULLS LAST, received_at_us NULLS LAST;
