-- What the dashboard tells beside the snapshot: how far the roll-up has come, how many jobs failed in the 24 hours
-- before the last 24, which tasks failed lately, the newest release, how many jobs wait for a lock only, and the
-- alerts that were told. Failures are the latest of all, locks those of the ready jobs that come first: of both at
-- most so many.
WITH ready_with_lock AS MATERIALIZED (
    SELECT id, queue_name, lock, priority
    FROM procrastinate_jobs AS job
    WHERE status = 'todo'
      AND lock IS NOT NULL
      AND (scheduled_at IS NULL OR scheduled_at <= now())
      AND NOT EXISTS (
          SELECT FROM procrastinate_tasks_queuerule AS rule
          WHERE rule.queue_name = job.queue_name AND rule.paused_at IS NOT NULL
      )
    LIMIT %(at_most)s
),
recent_failure AS MATERIALIZED (
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
    (
        SELECT coalesce(jsonb_object_agg(queue_name, jobs), '{}')
        FROM (
            SELECT job.queue_name, count(*) AS jobs
            FROM ready_with_lock AS job
            WHERE EXISTS (
                SELECT FROM procrastinate_jobs AS other
                WHERE {{is_blocked}}
            )
            GROUP BY job.queue_name
        ) AS held
    )::text AS blocked_by_queue,
    CASE
        WHEN (SELECT min(slot_at) FROM procrastinate_tasks_taskrollup) <= progress.rolled_up_to - interval '48 hours'
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
    )::text AS releases_of_day,
    (
        SELECT coalesce(
            jsonb_agg(jsonb_build_object('rule', rule, 'sentence', sentence) ORDER BY fired_at, rule, subject), '[]'
        )
        FROM procrastinate_tasks_alertstate
        WHERE fired_at IS NOT NULL
    )::text AS alerts
FROM (SELECT max(rolled_up_to) AS rolled_up_to FROM procrastinate_tasks_rollupprogress) AS progress
LEFT JOIN newest_release ON true
