-- The tables of two shards read as one. Each connection has a stream prefix of its own: btc_ and others_ here.
CREATE OR REPLACE VIEW all_book_tickers AS
SELECT
    event_type, u, symbol, pair, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty,
    transaction_time, event_time, symbol_type, received_at_us, covered_since_us
FROM btc_book_tickers
UNION ALL
SELECT
    event_type, u, symbol, pair, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty,
    transaction_time, event_time, symbol_type, received_at_us, covered_since_us
FROM others_book_tickers;
