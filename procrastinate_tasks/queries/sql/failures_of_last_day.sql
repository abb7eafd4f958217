-- How many jobs failed for good in the last 24 hours, and what time it is.
SELECT count(*) AS failed, now() AS now
FROM procrastinate_events
WHERE type = 'failed'
  AND type IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND at > now() - interval '24 hours'
