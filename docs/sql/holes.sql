-- What lies between the covered intervals of each contract, longest first: updates of that time may be missing.
SELECT
    symbol,
    seconds,
    to_timestamp(until_us / 1e6) AS hole_from,
    to_timestamp(next_since_us / 1e6) AS hole_to
FROM (
    SELECT
        symbol,
        until_us,
        lead(since_us) OVER (PARTITION BY symbol ORDER BY since_us) AS next_since_us,
        CAST((lead(since_us) OVER (PARTITION BY symbol ORDER BY since_us) - until_us) / 1e6 AS DECIMAL(18, 3)) AS seconds
    FROM coverage
) AS intervals
WHERE next_since_us IS NOT NULL
ORDER BY seconds DESC, symbol, hole_from;
