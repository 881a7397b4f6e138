-- Mean spread and mid price by hour and contract, each quote weighted by how long it stood: until the next update,
-- and only where that update's capture goes back to this one, so that no hole counts as a long-lived quote.
-- covered_seconds: the time that the means are made of. It belongs to the hour in which a quote began.
SELECT
    symbol,
    to_timestamp(hour_ms / 1e3) AS hour,
    sum(spread_bps * milliseconds) / sum(milliseconds) AS spread_bps,
    sum(mid * milliseconds) / sum(milliseconds) AS mid,
    sum(milliseconds) / 1000 AS covered_seconds
FROM (
    SELECT
        symbol,
        event_time - event_time % 3600000 AS hour_ms,
        spread_bps,
        CAST(mid AS DOUBLE PRECISION) AS mid,
        CASE
            WHEN lead(covered_since_us) OVER updates <= received_at_us
            THEN CAST(lead(event_time) OVER updates - event_time AS DOUBLE PRECISION)
        END AS milliseconds
    FROM quotes
    -- The last two do not change the order of updates: PostgreSQL works them out before it sorts, on all its cores.
    WINDOW updates AS (PARTITION BY symbol ORDER BY u, received_at_us, spread_bps, mid)
) AS standing
WHERE milliseconds > 0 AND mid IS NOT NULL
GROUP BY symbol, hour_ms
ORDER BY symbol, hour_ms;
