-- The covered intervals: time in which nothing of a contract is missing. Create it once; others read from it.
-- Within since_us .. until_us (microseconds since 1970, UTC, by the clock of arrival) every update that Binance pushed
-- for the contract is in the table. Intervals that overlap or touch, of two sources or of two syncs, are one.
CREATE OR REPLACE VIEW coverage AS
SELECT
    symbol,
    min(since_us) AS since_us,
    max(until_us) AS until_us,
    CAST((max(until_us) - min(since_us)) / 1e6 AS DECIMAL(18, 3)) AS seconds,
    CAST(sum(row_count) AS BIGINT) AS row_count
FROM (
    SELECT
        *,
        count(*) FILTER (WHERE begins) OVER (
            PARTITION BY symbol ORDER BY since_us, until_us ROWS UNBOUNDED PRECEDING
        ) AS interval_number
    FROM (
        SELECT
            *,
            since_us > max(until_us) OVER (
                PARTITION BY symbol ORDER BY since_us, until_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS begins
        FROM (
            SELECT symbol, covered_since_us AS since_us, max(received_at_us) AS until_us, count(*) AS row_count
            FROM book_tickers
            WHERE symbol IS NOT NULL AND covered_since_us IS NOT NULL AND received_at_us IS NOT NULL
            GROUP BY symbol, covered_since_us
        ) AS captures
    ) AS marked
) AS numbered
GROUP BY symbol, interval_number;
