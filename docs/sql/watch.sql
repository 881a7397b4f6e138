-- What to watch, a row for each contract, the one that lacks most first: how old its newest covered row is, and its
-- holes of the last 24 hours. Alert where seconds_old is above two periods of your schedule, or longest_hole above what
-- lies between two syncs anyway. With two sources half a window apart, over all_book_tickers, alert on any hole.
SELECT
    symbol,
    CAST((now_us - max(until_us)) / 1e6 AS DECIMAL(18, 1)) AS seconds_old,
    count(next_since_us) AS holes,
    CAST(COALESCE(max(next_since_us - until_us), 0) / 1e6 AS DECIMAL(18, 1)) AS longest_hole,
    CAST(COALESCE(sum(next_since_us - until_us), 0) / 1e6 AS DECIMAL(18, 1)) AS seconds_missing
FROM (
    SELECT
        symbol,
        until_us,
        lead(since_us) OVER (PARTITION BY symbol ORDER BY since_us) AS next_since_us,
        CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT) AS now_us
    FROM coverage
) AS intervals
WHERE COALESCE(next_since_us, until_us) >= now_us - 86400000000
GROUP BY symbol, now_us
ORDER BY seconds_missing DESC, seconds_old DESC, symbol;
