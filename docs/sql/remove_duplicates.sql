-- Keep the first copy of each update, delete the others.
DELETE FROM book_tickers
WHERE _airbyte_raw_id IN (
    SELECT _airbyte_raw_id
    FROM (
        SELECT
            _airbyte_raw_id,
            row_number() OVER (PARTITION BY symbol, u ORDER BY _airbyte_extracted_at, _airbyte_raw_id) AS copy
        FROM book_tickers
    ) AS numbered
    WHERE copy > 1
);
