-- Sum up the attempts that ended within a window, by slot, task and queue; doing it again changes nothing.
-- A job waited from the last moment it became ready until it started, by the clocks of database and worker; of a job
-- that is gone nobody knows. Runs that a shutdown or a person cut short say nothing of a task and are left out; how
-- long a lost worker's run took is not known.
WITH run AS (
    SELECT
        date_bin(%(slot)s, attempt.finished_at, 'epoch') AS slot_at,
        attempt.task_name,
        attempt.queue_name,
        attempt.outcome,
        CASE WHEN attempt.outcome NOT IN ('crashed', 'parked') THEN attempt.finished_at - procrastinate_tasks_readable_v1(attempt.started_at) END AS lasted,
        ready.waited
    FROM procrastinate_tasks_jobattempt AS attempt
    LEFT JOIN LATERAL (
        SELECT
            procrastinate_tasks_readable_v1(attempt.started_at) - procrastinate_tasks_readable_v1(
                coalesce(max(event.at) FILTER (WHERE event.at <= attempt.started_at), attempt.started_at)
            ) AS waited
        FROM procrastinate_events AS event
        WHERE event.job_id = attempt.job_id
          AND event.type IN ('deferred', 'deferred_for_retry', 'scheduled', 'retried')
        HAVING count(*) > 0
    ) AS ready ON true
    WHERE attempt.outcome IN ('succeeded', 'failed', 'superseded', 'parked', 'retrying', 'crashed')
      AND attempt.finished_at >= %(from_at)s
      AND attempt.finished_at < %(until)s
)
INSERT INTO procrastinate_tasks_taskrollup AS known (
    slot_at, task_name, queue_name, succeeded, failed, retried, wait_p50, wait_p95, run_p50, run_p95
)
SELECT
    slot_at,
    task_name,
    queue_name,
    count(*) FILTER (WHERE outcome = 'succeeded'),
    count(*) FILTER (WHERE outcome IN ('failed', 'superseded', 'parked')),
    count(*) FILTER (WHERE outcome IN ('retrying', 'crashed')),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY waited),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY waited),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY lasted),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY lasted)
FROM run
GROUP BY slot_at, task_name, queue_name
ORDER BY slot_at, task_name, queue_name
ON CONFLICT (slot_at, task_name, queue_name) DO UPDATE
SET
    succeeded = excluded.succeeded,
    failed = excluded.failed,
    retried = excluded.retried,
    wait_p50 = excluded.wait_p50,
    wait_p95 = excluded.wait_p95,
    run_p50 = excluded.run_p50,
    run_p95 = excluded.run_p95
WHERE (known.succeeded, known.failed, known.retried, known.wait_p50, known.wait_p95, known.run_p50, known.run_p95)
    IS DISTINCT FROM (
        excluded.succeeded, excluded.failed, excluded.retried, excluded.wait_p50, excluded.wait_p95, excluded.run_p50,
        excluded.run_p95
    )
