-- The best bid and ask of each contract as they were known at some moments: put yours, a few dozen at most, in VALUES.
-- covered: nothing can have come between this book and the moment. Where it is false, an update may be missing there.
WITH moments AS (
    SELECT CAST(EXTRACT(EPOCH FROM moment) * 1000000 AS BIGINT) AS moment_us
    FROM (VALUES
        (TIMESTAMPTZ '2026-10-06 12:00:00+00'),
        (TIMESTAMPTZ '2026-10-06 12:00:30+00')
    ) AS given (moment)
),
newest AS (
    SELECT moment_us, symbol, max(u) AS u
    FROM moments
    JOIN quotes ON received_at_us <= moment_us
    GROUP BY moment_us, symbol
),
books AS (
    SELECT DISTINCT ON (moment_us, symbol) moment_us, quotes.*
    FROM newest
    JOIN quotes USING (symbol, u)
    WHERE received_at_us <= moment_us
    ORDER BY moment_us, symbol, received_at_us
),
intervals AS MATERIALIZED (SELECT symbol, since_us, until_us FROM coverage)
SELECT
    to_timestamp(moment_us / 1e6) AS moment,
    books.symbol,
    bid,
    bid_qty,
    ask,
    ask_qty,
    to_timestamp(received_at_us / 1e6) AS received_at,
    intervals.symbol IS NOT NULL AS covered
FROM books
LEFT JOIN intervals
    ON intervals.symbol = books.symbol AND since_us <= received_at_us AND moment_us <= until_us
ORDER BY moment_us, books.symbol;
