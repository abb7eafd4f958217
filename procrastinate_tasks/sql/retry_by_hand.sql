-- Let failed and aborted jobs wait again, except where another job waits with their queueing lock.
-- Procrastinate's trigger writes the event `retried` for failed jobs; for aborted ones it is written here.
WITH chosen AS (
    SELECT id, status, queueing_lock
    FROM procrastinate_jobs
    WHERE id = ANY(%(job_ids)s::bigint[])
      AND status IN ('failed', 'aborted')
    ORDER BY id
    FOR UPDATE
),
numbered AS (
    SELECT
        chosen.*,
        queueing_lock IS NOT NULL
            AND row_number() OVER (PARTITION BY queueing_lock ORDER BY id DESC) > 1 AS has_later_twin
    FROM chosen
),
retried AS (
    UPDATE procrastinate_jobs AS job
    SET status = 'todo', scheduled_at = now(), abort_requested = false
    FROM numbered
    WHERE job.id = numbered.id
      AND NOT numbered.has_later_twin
      AND NOT EXISTS (
          SELECT 1
          FROM procrastinate_jobs AS sibling
          WHERE sibling.queueing_lock = numbered.queueing_lock
            AND sibling.status = 'todo'
      )
    RETURNING job.id, numbered.status AS old_status
),
noted AS (
    INSERT INTO procrastinate_events (job_id, type)
    SELECT id, 'retried' FROM retried WHERE old_status = 'aborted'
)
SELECT id
FROM retried
ORDER BY id
