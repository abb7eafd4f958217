-- What ended within the 24 hours that were summed up last, by queue and hour.
WITH day AS (
    SELECT max(rolled_up_to) AS until, max(rolled_up_to) - interval '24 hours' AS from_at
    FROM procrastinate_tasks_rollupprogress
)
SELECT
    rollup.queue_name,
    floor(extract(EPOCH FROM rollup.slot_at - day.from_at) / 3600)::integer AS hour,
    sum(rollup.succeeded)::bigint AS succeeded,
    sum(rollup.failed)::bigint AS failed,
    sum(rollup.retried)::bigint AS retried
FROM day
JOIN procrastinate_tasks_taskrollup AS rollup ON rollup.slot_at >= day.from_at AND rollup.slot_at < day.until
GROUP BY rollup.queue_name, hour
ORDER BY rollup.queue_name, hour
