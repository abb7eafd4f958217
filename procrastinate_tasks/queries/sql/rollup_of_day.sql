-- What ended within the 24 hours that were summed up last: all tasks together by slot, and each task by hour from the
-- start of that day. Where nothing ended, one row tells until when that is known.
-- A median of medians is none: each weighs as much as the runs behind it, and the worst of the slots is told beside it.
WITH day AS (
    SELECT max(rolled_up_to) AS until, max(rolled_up_to) - interval '24 hours' AS from_at
    FROM procrastinate_tasks_rollupprogress
),
ended AS (
    SELECT
        slot.slot_at,
        slot.task_name,
        slot.hour,
        sum(slot.succeeded)::bigint AS succeeded,
        sum(slot.failed)::bigint AS failed,
        sum(slot.retried)::bigint AS retried,
        sum(slot.wait_p50 * slot.runs) / sum(slot.runs) FILTER (WHERE slot.wait_p50 IS NOT NULL) AS wait_typical,
        max(slot.wait_p95) AS wait_worst,
        sum(slot.run_p50 * slot.runs) / sum(slot.runs) FILTER (WHERE slot.run_p50 IS NOT NULL) AS run_typical,
        max(slot.run_p95) AS run_worst
    FROM (
        SELECT
            rollup.*,
            (rollup.succeeded + rollup.failed + rollup.retried)::double precision AS runs,
            floor(extract(EPOCH FROM rollup.slot_at - day.from_at) / 3600)::integer AS hour
        FROM day
        JOIN procrastinate_tasks_taskrollup AS rollup ON rollup.slot_at >= day.from_at AND rollup.slot_at < day.until
    ) AS slot
    GROUP BY GROUPING SETS ((slot.slot_at), (slot.task_name, slot.hour))
)
SELECT
    day.until,
    ended.slot_at,
    ended.task_name,
    CASE WHEN ended.task_name IS NOT NULL THEN day.from_at + ended.hour * interval '1 hour' END AS hour_at,
    ended.succeeded,
    ended.failed,
    ended.retried,
    ended.wait_typical,
    ended.wait_worst,
    ended.run_typical,
    ended.run_worst
FROM day
LEFT JOIN ended ON true
ORDER BY ended.slot_at, ended.task_name, ended.hour
