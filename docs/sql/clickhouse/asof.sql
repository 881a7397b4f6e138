-- The best bid and ask of each contract as they were known at some moments. covered: the capture that the book is of
-- goes on beyond the moment, so nothing can have come in between.
WITH
    moments AS (
        SELECT arrayJoin([
            toDateTime64('2026-10-06 12:00:00', 6, 'UTC'),
            toDateTime64('2026-10-06 12:00:30', 6, 'UTC')
        ]) AS moment
    ),
    captures AS (
        SELECT symbol, covered_since, max(received_at) AS until
        FROM quotes
        WHERE covered_since IS NOT NULL
        GROUP BY symbol, covered_since
    ),
    books AS (
        SELECT
            moment,
            symbol,
            argMax(
                tuple(bid, bid_qty, ask, ask_qty, received_at, covered_since),
                tuple(u, -toUnixTimestamp64Micro(ifNull(covered_since, received_at)))
            ) AS book
        FROM moments
        CROSS JOIN quotes
        WHERE received_at <= moment
        GROUP BY moment, symbol
    )
SELECT
    moment,
    books.symbol AS symbol,
    book.1 AS bid,
    book.2 AS bid_qty,
    book.3 AS ask,
    book.4 AS ask_qty,
    book.5 AS received_at,
    ifNull(captures.until >= moment, false) AS covered
FROM books
LEFT JOIN captures ON captures.symbol = books.symbol AND captures.covered_since = book.6
ORDER BY moment, symbol
SETTINGS join_use_nulls = 1;
