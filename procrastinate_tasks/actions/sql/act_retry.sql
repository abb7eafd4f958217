-- Let jobs that did not succeed wait again, except where another job waits with their queueing lock.
-- Procrastinate's trigger writes the event `retried` for failed jobs; for others it is written here.
WITH chosen AS (
    SELECT id, status
    FROM procrastinate_jobs
    WHERE id = ANY(%(job_ids)s::bigint[])
      AND status IN ('failed', 'cancelled', 'aborted', 'aborting')
    ORDER BY id
    FOR UPDATE
),
retried AS (
    UPDATE procrastinate_jobs AS job
    SET status = 'todo', scheduled_at = now(), abort_requested = false
    FROM chosen
    WHERE job.id = chosen.id
      AND NOT EXISTS (
          SELECT FROM procrastinate_jobs AS twin
          WHERE twin.queueing_lock = job.queueing_lock AND twin.status = 'todo'
      )
    RETURNING job.id, chosen.status AS old_status
),
noted AS (
    INSERT INTO procrastinate_events (job_id, type)
    SELECT id, 'retried' FROM retried WHERE old_status <> 'failed'
)
SELECT id FROM retried
