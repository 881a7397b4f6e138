-- One-minute bars of the mid price. For other bars put their length in milliseconds in place of 60000.
SELECT
    symbol,
    event_time - event_time % 60000 AS bar_start_ms,
    (array_agg(mid ORDER BY u))[1] AS open,
    max(mid) AS high,
    min(mid) AS low,
    (array_agg(mid ORDER BY u DESC))[1] AS close,
    count(*) AS updates
FROM quotes
GROUP BY symbol, event_time - event_time % 60000
ORDER BY symbol, bar_start_ms;
