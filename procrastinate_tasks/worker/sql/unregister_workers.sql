-- Ends workers whose processes are known to be gone, and gives their unfinished jobs back at no cost. Each run that
-- was cut short is recorded, with %(exception_class)s and %(message)s unless they are empty.
-- The jobs %(except_job_ids)s have ended, only that could not be recorded: they are not given back.
-- A job whose queueing lock a waiting twin holds comes back without it: the unique index allows one.
WITH orphaned AS (
    SELECT id, task_name, queue_name, attempts, worker_id, queueing_lock, abort_requested
    FROM procrastinate_jobs
    WHERE worker_id = ANY(%(worker_ids)s::bigint[]) AND status = 'doing'
      AND id <> ALL(%(except_job_ids)s::bigint[])
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
    RETURNING job.id, job.status
),
recorded AS (
    INSERT INTO procrastinate_tasks_jobattempt (
        job_id, attempt, task_name, queue_name, worker_id, host, release, started_at, finished_at, outcome,
        exception_class, message, traceback, fingerprint
    )
    SELECT
        orphaned.id, least(orphaned.attempts::bigint + 1, 2147483647), orphaned.task_name, orphaned.queue_name, orphaned.worker_id,
        coalesce(live.host, ''), coalesce(live.release, ''),
        coalesce(
            (
                SELECT max(event.at) FROM procrastinate_events AS event
                WHERE event.job_id = orphaned.id AND event.type = 'started'
            ),
            now()
        ),
        now(), CASE WHEN returned.status = 'aborted' THEN 'aborted' ELSE 'interrupted' END,
        %(exception_class)s, %(message)s, '', ''
    FROM orphaned
    JOIN returned ON returned.id = orphaned.id
    LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = orphaned.worker_id
),
gone AS (
    DELETE FROM procrastinate_workers WHERE id = ANY(%(worker_ids)s::bigint[])
)
SELECT id FROM returned
