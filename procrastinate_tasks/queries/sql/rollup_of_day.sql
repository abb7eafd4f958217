-- What ended within 24 hours: all tasks together by slot, and each task by hour from the start of the day before.
-- A median of medians is none: each weighs as much as the runs behind it, and the worst of the slots is told beside it.
SELECT
    slot.slot_at,
    slot.task_name,
    CASE WHEN slot.task_name IS NOT NULL THEN %(from_at)s + slot.hour * interval '1 hour' END AS hour_at,
    sum(slot.succeeded)::bigint AS succeeded,
    sum(slot.failed)::bigint AS failed,
    sum(slot.retried)::bigint AS retried,
    sum(slot.wait_p50 * slot.runs) / sum(slot.runs) FILTER (WHERE slot.wait_p50 IS NOT NULL) AS wait_typical,
    max(slot.wait_p95) AS wait_worst,
    sum(slot.run_p50 * slot.runs) / sum(slot.runs) FILTER (WHERE slot.run_p50 IS NOT NULL) AS run_typical,
    max(slot.run_p95) AS run_worst
FROM (
    SELECT
        *,
        (succeeded + failed + retried)::double precision AS runs,
        floor(extract(EPOCH FROM slot_at - %(from_at)s) / 3600)::integer AS hour
    FROM procrastinate_tasks_taskrollup
    WHERE slot_at >= %(from_at)s
      AND slot_at < %(from_at)s + interval '24 hours'
) AS slot
GROUP BY GROUPING SETS ((slot.slot_at), (slot.task_name, slot.hour))
ORDER BY slot.slot_at, slot.task_name, slot.hour
