-- The best bid and ask of each contract as they were known at some moments, UTC. covered: the capture that the book is
-- of goes on beyond the moment, so nothing can have come in between. The WHERE reads two days and no more.
WITH moments AS (
    SELECT moment
    FROM (VALUES
        ('2026-10-06 12:00:00'::TIMESTAMP_NTZ),
        ('2026-10-06 12:00:30'::TIMESTAMP_NTZ)
    ) AS given (moment)
),
recent AS (
    SELECT *, MAX(received_at) OVER (PARTITION BY symbol, covered_since) AS captured_until
    FROM quotes
    WHERE received_at >= '2026-10-05'::TIMESTAMP_NTZ AND received_at < '2026-10-07'::TIMESTAMP_NTZ
)
SELECT
    moment,
    symbol,
    bid,
    bid_qty,
    ask,
    ask_qty,
    received_at,
    covered_since IS NOT NULL AND captured_until >= moment AS covered
FROM moments
CROSS JOIN recent
WHERE received_at <= moment
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY moment, symbol ORDER BY u DESC, COALESCE(covered_since, received_at)
) = 1
ORDER BY moment, symbol;
