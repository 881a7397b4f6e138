-- The book tickers with their prices as numbers. Create it once; the other queries read from it.
CREATE OR REPLACE VIEW quotes AS
SELECT
    symbol,
    u,
    event_time,
    bid,
    ask,
    (bid + ask) * 0.5 AS mid,
    CAST((ask - bid) / NULLIF((bid + ask) * 0.5, 0) * 10000 AS DECIMAL(18, 4)) AS spread_bps
FROM (
    SELECT
        symbol,
        u,
        event_time,
        CAST(best_bid_price AS DECIMAL(28, 12)) AS bid,
        CAST(best_ask_price AS DECIMAL(28, 12)) AS ask
    FROM book_tickers
) AS numbers;
