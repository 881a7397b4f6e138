-- One-minute bars of the mid price, empty minutes too. For a part of the table put a WHERE below `FROM quotes`; for
-- other bars put their length in milliseconds in place of 60000, and in place of 61000 a second more.
-- open and close are null where the book had one side only. covered: the minute, and a second on either side for the
-- difference of the clocks, lies in no hole. A covered minute without updates carries the last close on, since the book
-- stood still; an empty one that is not covered is null.
WITH minutes AS (
    SELECT
        symbol,
        bar_ms,
        (min(ARRAY[u, mid]))[2] AS open,  -- the mid of the lowest u
        max(mid) AS high,
        min(mid) AS low,
        (max(ARRAY[u, mid]))[2] AS close,
        count(*) AS updates
    FROM (
        SELECT symbol, event_time - event_time % 60000 AS bar_ms, u, mid
        FROM quotes
        WHERE symbol IS NOT NULL AND u IS NOT NULL AND event_time IS NOT NULL
        OFFSET 0  -- PostgreSQL then works out each mid once, not four times
    ) AS mids
    GROUP BY symbol, bar_ms
),
calendar AS (
    SELECT symbol, every_minute.bar_ms
    FROM (SELECT symbol, min(bar_ms) AS first_ms, max(bar_ms) AS last_ms FROM minutes GROUP BY symbol) AS spans,
        generate_series(first_ms, last_ms, 60000) AS every_minute (bar_ms)
),
intervals AS MATERIALIZED (SELECT symbol, since_us, until_us FROM coverage),
bars AS (
    SELECT
        calendar.symbol,
        calendar.bar_ms,
        open,
        high,
        low,
        close,
        updates,
        since_us,
        count(updates) OVER (PARTITION BY calendar.symbol, since_us ORDER BY calendar.bar_ms) AS last_filled
    FROM calendar
    LEFT JOIN minutes ON minutes.symbol = calendar.symbol AND minutes.bar_ms = calendar.bar_ms
    LEFT JOIN intervals
        ON intervals.symbol = calendar.symbol
        AND since_us <= (calendar.bar_ms - 1000) * 1000
        AND until_us >= (calendar.bar_ms + 61000) * 1000
)
SELECT
    symbol,
    to_timestamp(bar_ms / 1e3) AS bar_start,
    CASE WHEN updates IS NULL THEN carried ELSE open END AS open,
    CASE WHEN updates IS NULL THEN carried ELSE high END AS high,
    CASE WHEN updates IS NULL THEN carried ELSE low END AS low,
    CASE WHEN updates IS NULL THEN carried ELSE close END AS close,
    COALESCE(updates, 0) AS updates,
    since_us IS NOT NULL AS covered
FROM (
    SELECT
        *,
        CASE WHEN since_us IS NOT NULL THEN max(close) OVER (PARTITION BY symbol, since_us, last_filled) END AS carried
    FROM bars
) AS with_carried
ORDER BY symbol, bar_ms;
