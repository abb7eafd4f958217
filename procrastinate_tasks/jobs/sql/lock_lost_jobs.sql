-- Lock jobs whose run was lost, and tell what judging it takes: those these workers hold, else those that are `doing`
-- under a worker that is gone or silent, of these jobs or any. Our own workers beat more often than Procrastinate's, and
-- say themselves how long they may be silent. Crashes are counted since the job was last retried by hand.
-- A search for any of them, which comes again each second, adds SKIP LOCKED: others wait for their rows.
SELECT
    job.id,
    job.task_name,
    job.queue_name,
    job.attempts,
    job.abort_requested,
    job.worker_id,
    extract(epoch FROM clock.now - worker.last_heartbeat)::float AS silent_seconds,
    coalesce(
        (
            SELECT max(event.at)
            FROM procrastinate_events AS event
            WHERE event.job_id = job.id
              AND event.type = 'started'
        ),
        clock.now
    ) AS started_at,
    (
        SELECT count(*)
        FROM procrastinate_tasks_jobattempt AS attempt
        WHERE attempt.job_id = job.id
          AND attempt.outcome IN ('crashed', 'parked')
          AND attempt.finished_at > coalesce(
              (
                  SELECT max(event.at)
                  FROM procrastinate_events AS event
                  WHERE event.job_id = job.id
                    AND event.type = 'retried'
              ),
              '-infinity'
          )
    ) AS earlier_crashes,
    clock.now
FROM procrastinate_jobs AS job
CROSS JOIN (SELECT coalesce(%(now)s::timestamptz, now()) AS now) AS clock
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
WHERE job.status = 'doing'
  AND (%(job_ids)s::bigint[] IS NULL OR job.id = ANY(%(job_ids)s::bigint[]))
  AND job.id <> ALL(%(except_job_ids)s::bigint[])
  AND (
      job.worker_id = ANY(%(worker_ids)s::bigint[])
      OR (
          %(worker_ids)s::bigint[] IS NULL
          AND NOT {{is_alive at clock.now}}
      )
  )
ORDER BY job.id
LIMIT %(batch)s
FOR UPDATE OF job
