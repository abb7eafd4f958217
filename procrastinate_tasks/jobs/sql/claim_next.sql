-- Claim the next job for this process: the order and the locks of Procrastinate's own claim, the clock a parameter.
-- One whose time is over ends instead, as cancelled.
WITH claimed AS (
    UPDATE procrastinate_jobs
    SET status = CASE
        WHEN EXISTS (
            SELECT FROM procrastinate_tasks_jobexpiry AS expiry
            WHERE expiry.job_id = procrastinate_jobs.id AND expired_at IS NULL AND expires_at <= %(now)s
        ) THEN 'cancelled'::procrastinate_job_status
        ELSE 'doing'
    END
    WHERE id = (
        SELECT job.id
        FROM procrastinate_jobs AS job
        WHERE job.status = 'todo'
          AND (%(queues)s::varchar[] IS NULL OR job.queue_name = ANY(%(queues)s::varchar[]))
          AND (%(with_scheduled)s OR job.scheduled_at IS NULL OR job.scheduled_at <= %(now)s)
          AND NOT EXISTS (
              SELECT 1
              FROM procrastinate_jobs AS other
              WHERE job.lock IS NOT NULL
                AND other.lock = job.lock
                AND (
                    other.status = 'doing'
                    OR other.status = 'todo' AND (-other.priority, other.id) < (-job.priority, job.id)
                )
          )
        ORDER BY
            CASE WHEN %(with_scheduled)s THEN job.scheduled_at END NULLS FIRST,
            job.priority DESC,
            job.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING *
),
expired AS (
    UPDATE procrastinate_tasks_jobexpiry SET expired_at = %(now)s
    WHERE job_id IN (SELECT id FROM claimed WHERE status = 'cancelled')
),
started AS (
    DELETE FROM procrastinate_tasks_jobexpiry
    WHERE job_id IN (SELECT id FROM claimed WHERE status = 'doing') AND expired_at IS NULL
)
SELECT
    id, status, task_name, priority, lock, queueing_lock, args,
    procrastinate_tasks_readable_v1(scheduled_at) AS scheduled_at, queue_name, attempts, worker_id
FROM claimed
