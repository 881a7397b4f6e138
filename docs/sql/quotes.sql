-- The book tickers as numbers. Create it once; most other queries read from it.
-- bid and ask: exact, up to 8 decimals (Binance's most); from 10^10 on the cast fails, and for mid from 10^9 on in DuckDB.
-- Quantities, spread_bps and microprice: floating point, 15 digits.
-- A side without an order (price or quantity is empty or zero) is null, and so is what needs both sides.
CREATE OR REPLACE VIEW quotes AS
SELECT
    symbol,
    pair,
    u,
    event_time,
    to_timestamp(CAST(event_time AS DOUBLE PRECISION) / 1000) AS event_at,
    received_at_us,
    covered_since_us,
    CAST(bid AS DECIMAL(18, 8)) AS bid,
    CAST(bid_qty AS DOUBLE PRECISION) AS bid_qty,
    CAST(ask AS DECIMAL(18, 8)) AS ask,
    CAST(ask_qty AS DOUBLE PRECISION) AS ask_qty,
    (CAST(bid AS DECIMAL(18, 8)) + CAST(ask AS DECIMAL(18, 8))) * 0.5 AS mid,
    (CAST(ask AS DOUBLE PRECISION) - CAST(bid AS DOUBLE PRECISION))
        / (CAST(ask AS DOUBLE PRECISION) + CAST(bid AS DOUBLE PRECISION)) * 20000 AS spread_bps,
    (CAST(bid AS DOUBLE PRECISION) * CAST(ask_qty AS DOUBLE PRECISION)
        + CAST(ask AS DOUBLE PRECISION) * CAST(bid_qty AS DOUBLE PRECISION))
        / (CAST(bid_qty AS DOUBLE PRECISION) + CAST(ask_qty AS DOUBLE PRECISION)) AS microprice
FROM (
    -- Only a text that begins with 0 can be zero, and that is a cheap look: '0', '0.0', but not '0.5'.
    SELECT
        *,
        CASE
            WHEN best_bid_price LIKE '0%' AND ltrim(best_bid_price, '0.') = '' THEN NULL
            WHEN best_bid_qty LIKE '0%' AND ltrim(best_bid_qty, '0.') = '' THEN NULL
            ELSE NULLIF(best_bid_price, '')
        END AS bid,
        NULLIF(best_bid_qty, '') AS bid_qty,
        CASE
            WHEN best_ask_price LIKE '0%' AND ltrim(best_ask_price, '0.') = '' THEN NULL
            WHEN best_ask_qty LIKE '0%' AND ltrim(best_ask_qty, '0.') = '' THEN NULL
            ELSE NULLIF(best_ask_price, '')
        END AS ask,
        NULLIF(best_ask_qty, '') AS ask_qty
    FROM book_tickers
) AS sides;
