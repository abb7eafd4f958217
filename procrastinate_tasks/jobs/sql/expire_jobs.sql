-- End waiting jobs that had not started by the time they expire; the partial index on open expiries finds them.
-- Jobs are locked before their expiries, as a claim does; one that somebody holds comes next time.
-- An expiry whose job has started, or was ended otherwise, is spent.
WITH late AS MATERIALIZED (
    SELECT job.id, job.status::text AS status
    FROM procrastinate_tasks_jobexpiry AS expiry
    JOIN procrastinate_jobs AS job ON job.id = expiry.job_id
    WHERE expiry.expired_at IS NULL
      AND expiry.expires_at <= coalesce(%(now)s::timestamptz, now())
    ORDER BY expiry.expires_at
    LIMIT %(batch)s
    FOR UPDATE OF job SKIP LOCKED
),
cancelled AS (
    UPDATE procrastinate_jobs AS job
    SET status = 'cancelled'
    FROM late
    WHERE job.id = late.id
      AND late.status = 'todo'
    RETURNING job.id
),
marked AS (
    UPDATE procrastinate_tasks_jobexpiry
    SET expired_at = coalesce(%(now)s::timestamptz, now())
    WHERE job_id IN (SELECT id FROM cancelled)
),
spent AS (
    DELETE FROM procrastinate_tasks_jobexpiry
    WHERE job_id IN (SELECT id FROM late WHERE status <> 'todo')
)
SELECT count(*) AS expired FROM cancelled
