-- Keep one copy of each update, delete the others: of two captures the one that covers more, of equals the first.
DELETE FROM book_tickers
WHERE _airbyte_raw_id IN (
    SELECT _airbyte_raw_id
    FROM (
        SELECT
            _airbyte_raw_id,
            row_number() OVER (
                PARTITION BY symbol, u
                ORDER BY covered_since_us NULLS LAST, received_at_us NULLS LAST, _airbyte_extracted_at, _airbyte_raw_id
            ) AS copy
        FROM book_tickers
        -- First a cheap look by u alone: few rows are left to be sorted.
        WHERE symbol IS NOT NULL AND u IN (SELECT u FROM book_tickers GROUP BY u HAVING count(*) > 1)
    ) AS numbered
    WHERE copy > 1
);
