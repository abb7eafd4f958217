-- What ended within 24 hours, by queue and hour.
SELECT
    queue_name,
    floor(extract(EPOCH FROM slot_at - %(from_at)s) / 3600)::integer AS hour,
    sum(succeeded)::bigint AS succeeded,
    sum(failed)::bigint AS failed,
    sum(retried)::bigint AS retried
FROM procrastinate_tasks_taskrollup
WHERE slot_at >= %(from_at)s
  AND slot_at < %(from_at)s + interval '24 hours'
GROUP BY queue_name, hour
ORDER BY queue_name, hour
