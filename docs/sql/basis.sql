-- The basis of each COIN-M contract, by pair: its newest mid price beside the price of the USDⓈ-M perpetual of the same
-- pair (BTCUSD and BTCUSDT). seconds_apart: how much older or newer the book ticker is than that price.
-- Prices are in USD here and in USDT there, so a basis holds the rate between the two as well.
SELECT
    pair,
    symbol,
    mid,
    price,
    (CAST(mid AS DOUBLE PRECISION) / price - 1) * 10000 AS basis_bps,
    CAST(event_time - price_time AS DOUBLE PRECISION) / 1000 AS seconds_apart
FROM (
    SELECT DISTINCT ON (symbol) pair, symbol, mid, event_time
    FROM (SELECT symbol, max(u) AS u FROM quotes GROUP BY symbol) AS newest
    JOIN quotes USING (symbol, u)
    ORDER BY symbol, event_time
) AS contracts
JOIN (
    SELECT DISTINCT ON (symbol)
        symbol AS perpetual,
        NULLIF(CAST(NULLIF(price, '') AS DOUBLE PRECISION), 0) AS price,
        time AS price_time
    FROM symbol_prices
    ORDER BY symbol, time DESC NULLS LAST
) AS perpetuals ON perpetual = pair || 'T'
ORDER BY pair, symbol;
