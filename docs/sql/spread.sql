-- Mid price of the newest update and mean spread in basis points of each contract. Every update counts alike, so busy
-- moments weigh more; time_weighted.sql weighs by time. Null where no update, or not the newest, has both sides.
SELECT symbol, max(quotes.mid) AS newest_mid, mean_spread_bps, updates
FROM (
    SELECT symbol, max(u) AS u, avg(spread_bps) AS mean_spread_bps, count(*) AS updates
    FROM quotes
    GROUP BY symbol
) AS of_symbol
JOIN quotes USING (symbol, u)
GROUP BY symbol, mean_spread_bps, updates
ORDER BY symbol;
