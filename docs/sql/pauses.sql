-- When nothing was captured for a minute or longer: between two syncs, mostly.
SELECT event_time AS last_before_ms, next_event_time AS first_after_ms, next_event_time - event_time AS pause_ms
FROM (
    SELECT event_time, lead(event_time) OVER (ORDER BY event_time) AS next_event_time
    FROM book_tickers
) AS ordered
WHERE next_event_time - event_time >= 60000
ORDER BY last_before_ms;
