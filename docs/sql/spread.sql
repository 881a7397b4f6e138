-- Mid price of the newest update and mean spread in basis points, per symbol.
SELECT
    symbol,
    (array_agg(mid ORDER BY u DESC))[1] AS newest_mid,
    CAST(avg(spread_bps) AS DECIMAL(18, 4)) AS mean_spread_bps,
    count(*) AS updates
FROM quotes
GROUP BY symbol
ORDER BY symbol;
