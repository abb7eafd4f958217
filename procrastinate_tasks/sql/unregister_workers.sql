-- Ends workers whose processes are known to be gone, and gives their unfinished jobs back at no cost.
-- A job whose queueing lock a waiting twin holds comes back without it: the unique index allows one.
WITH orphaned AS (
    SELECT id, queueing_lock, abort_requested
    FROM procrastinate_jobs
    WHERE worker_id = ANY(%(worker_ids)s::bigint[]) AND status = 'doing'
    ORDER BY id
    FOR UPDATE
),
numbered AS (
    SELECT
        orphaned.*,
        row_number() OVER (PARTITION BY queueing_lock ORDER BY id) > 1
        OR EXISTS (
            SELECT FROM procrastinate_jobs AS twin
            WHERE twin.queueing_lock = orphaned.queueing_lock AND twin.status = 'todo'
        ) AS lock_is_taken
    FROM orphaned
),
returned AS (
    UPDATE procrastinate_jobs AS job
    SET
        status = CASE WHEN job.abort_requested THEN 'aborted' ELSE 'todo' END::procrastinate_job_status,
        abort_requested = false,
        worker_id = NULL,
        queueing_lock = CASE WHEN numbered.lock_is_taken THEN NULL ELSE job.queueing_lock END
    FROM numbered
    WHERE job.id = numbered.id
    RETURNING job.id
),
gone AS (
    DELETE FROM procrastinate_workers WHERE id = ANY(%(worker_ids)s::bigint[])
)
SELECT id FROM returned
