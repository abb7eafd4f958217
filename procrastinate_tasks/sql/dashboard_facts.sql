-- What the dashboard tells beside the snapshot: how far the roll-up has come, how many jobs failed in the 24 hours
-- before the last 24, which tasks failed lately (of the latest failures, at most so many), and the newest release.
WITH recent_failure AS MATERIALIZED (
    SELECT task_name
    FROM procrastinate_tasks_jobattempt
    WHERE outcome IN ('failed', 'superseded', 'parked')
      AND finished_at > now() - interval '24 hours'
    LIMIT %(at_most)s
),
newest_release AS (
    SELECT name, first_seen_at FROM procrastinate_tasks_release ORDER BY first_seen_at DESC LIMIT 1
)
SELECT
    progress.rolled_up_to,
    CASE
        WHEN (SELECT min(slot_at) FROM procrastinate_tasks_taskrollup) <= progress.rolled_up_to - interval '24 hours'
        THEN (
            SELECT coalesce(sum(failed), 0)::bigint
            FROM procrastinate_tasks_taskrollup
            WHERE slot_at >= progress.rolled_up_to - interval '48 hours'
              AND slot_at < progress.rolled_up_to - interval '24 hours'
        )
    END AS failed_day_before,
    (
        SELECT coalesce(jsonb_object_agg(task_name, jobs), '{}')
        FROM (SELECT task_name, count(*) AS jobs FROM recent_failure GROUP BY task_name) AS failing
    )::text AS failed_by_task,
    newest_release.name AS release,
    newest_release.first_seen_at AS release_since,
    (
        SELECT coalesce(jsonb_object_agg(name, first_seen_at), '{}')
        FROM procrastinate_tasks_release
        WHERE first_seen_at > progress.rolled_up_to - interval '24 hours'
    )::text AS releases_of_day
FROM (SELECT max(rolled_up_to) AS rolled_up_to FROM procrastinate_tasks_rollupprogress) AS progress
LEFT JOIN newest_release ON true
