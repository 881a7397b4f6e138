-- Updates that were delivered more than once. No row: nothing to clean.
SELECT symbol, u, count(*) AS copies
FROM book_tickers
GROUP BY symbol, u
HAVING count(*) > 1
ORDER BY symbol, u;
