-- Append what the windows of a chain have brought and the table does not have yet, each (symbol, u) once. Run it as often
-- as you like, also while a window is being written: what that one has so far is taken, and the rest next time.
CREATE TABLE IF NOT EXISTS book_tickers (
    event_type VARCHAR, u BIGINT, symbol VARCHAR, pair VARCHAR, best_bid_price VARCHAR, best_bid_qty VARCHAR,
    best_ask_price VARCHAR, best_ask_qty VARCHAR, transaction_time BIGINT, event_time BIGINT, symbol_type BIGINT,
    received_at_us BIGINT, covered_since_us BIGINT
);
INSERT INTO book_tickers BY NAME
SELECT DISTINCT ON (symbol, u) *
FROM (
    SELECT unnest(record.data)
    FROM read_json(
        'windows/window-*.jsonl',
        format = 'newline_delimited',
        ignore_errors = true, -- the last line may be half written
        columns = {
            record: 'STRUCT(stream VARCHAR, data STRUCT(
                event_type VARCHAR, u BIGINT, symbol VARCHAR, pair VARCHAR, best_bid_price VARCHAR,
                best_bid_qty VARCHAR, best_ask_price VARCHAR, best_ask_qty VARCHAR, transaction_time BIGINT,
                event_time BIGINT, symbol_type BIGINT, received_at_us BIGINT, covered_since_us BIGINT))'
        }
    )
    WHERE record.stream = 'book_tickers'
) AS windows
ANTI JOIN book_tickers USING (symbol, u)
ORDER BY symbol, u, received_at_us;
