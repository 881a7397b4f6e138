-- Updates that stand in the table more than once. No row: nothing to clean.
SELECT symbol, u, count(*) AS copies
FROM book_tickers
GROUP BY symbol, u
HAVING count(*) > 1
ORDER BY symbol NULLS LAST, u NULLS LAST;
