-- Tasks of ready jobs that no living worker knows: how many of their jobs wait, and since when the oldest could run.
-- A worker of Procrastinate's own does not say what it knows: while one lives, or none at all, nothing is unknown.
WITH living AS MATERIALIZED (
    SELECT live.tasks
    FROM procrastinate_workers AS worker
    LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = worker.id
    WHERE {{is_alive}}
),
known AS MATERIALIZED (
    SELECT jsonb_object_agg(name, 1) AS names
    FROM living CROSS JOIN LATERAL jsonb_array_elements_text(living.tasks) AS item (name)
    HAVING NOT EXISTS (SELECT FROM living WHERE tasks IS NULL)
),
unknown AS (
    SELECT
        job.task_name,
        count(*) AS jobs,
        min(job.scheduled_at) AS due_at,
        min(job.id) FILTER (WHERE job.scheduled_at IS NULL) AS oldest_id
    FROM known CROSS JOIN procrastinate_jobs AS job
    WHERE job.status = 'todo'
      AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
      AND NOT jsonb_exists(known.names, job.task_name)
    GROUP BY job.task_name
)
SELECT
    task_name,
    jobs,
    least(due_at, (SELECT min(at) FROM procrastinate_events WHERE job_id = unknown.oldest_id)) AS since,
    coalesce(
        (
            SELECT name FROM procrastinate_tasks_release
            WHERE jsonb_exists(tasks, unknown.task_name)
            ORDER BY first_seen_at DESC, name DESC
            LIMIT 1
        ),
        ''
    ) AS known_by_release
FROM unknown
ORDER BY task_name
