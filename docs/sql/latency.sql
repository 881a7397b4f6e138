-- How long updates were on their way, in milliseconds: arrival minus Binance's event time, by hour and contract.
-- Two clocks are compared, so a negative value says that ours is behind. Binance's has no fractions of a millisecond.
SELECT
    symbol,
    to_timestamp(hour_us / 1e6) AS hour,
    count(*) AS updates,
    min(milliseconds) AS least,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS median,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY milliseconds) AS percentile_99,
    max(milliseconds) AS most
FROM (
    SELECT
        symbol,
        received_at_us - received_at_us % 3600000000 AS hour_us,
        CAST(received_at_us - event_time * 1000 AS DOUBLE PRECISION) / 1000 AS milliseconds
    FROM quotes
    WHERE received_at_us IS NOT NULL AND event_time IS NOT NULL
) AS arrivals
GROUP BY symbol, hour_us
ORDER BY symbol, hour_us;
