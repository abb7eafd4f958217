-- A page of jobs. The inner query finds at most %(window)s jobs by an index; the rest of the filter looks at those, and
-- so does an order that no index has.
SELECT
    page.id,
    page.task_name,
    page.queue_name,
    page.status,
    page.scheduled_at,
    page.attempts,
    page.args,
    page.priority,
    page.lock,
    page.queueing_lock,
    page.worker_id,
    page.abort_requested,
    page.worker_is_alive,
    page.is_due,
    page.is_paused,
    page.is_blocked,
    coalesce(to_json(page.sort_key) #>> '{}', '') AS key,
    now() AS now,
    event.created_at,
    event.started_at,
    event.changed_at,
    coalesce(attempt.outcome, '') AS last_outcome,
    coalesce(attempt.exception_class, '') AS last_exception,
    left(coalesce(attempt.message, ''), 200) AS last_message,
    (
        SELECT twin.id FROM procrastinate_jobs AS twin
        WHERE twin.queueing_lock = page.queueing_lock
          AND twin.status = 'todo'
          AND twin.id <> page.id
    ) AS twin_id
FROM (
    SELECT
        job.id,
        job.task_name,
        job.queue_name,
        job.status::text AS status,
        procrastinate_tasks_readable_v1(job.scheduled_at) AS scheduled_at,
        job.sort_key,
        job.attempts,
        job.args,
        job.priority,
        job.lock,
        job.queueing_lock,
        job.worker_id,
        job.abort_requested,
        {{is_alive}} AS worker_is_alive,
        job.scheduled_at IS NULL OR job.scheduled_at <= now() AS is_due,
        {{is_paused}} AS is_paused,
        job.status = 'todo' AND
{blocked}
        AS is_blocked
    FROM (
{found}
    ) AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
    LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = job.queue_name
    WHERE {in_tab}
      AND {following_within}
      AND
{looked_at}
    ORDER BY {order}
    LIMIT %(limit)s
) AS page
LEFT JOIN LATERAL (
    SELECT
        min(at) FILTER (WHERE type <> 'scheduled') AS created_at,
        max(at) FILTER (WHERE type = 'started') AS started_at,
        max(at) FILTER (WHERE type <> 'scheduled') AS changed_at
    FROM procrastinate_events
    WHERE job_id = page.id
) AS event ON true
LEFT JOIN LATERAL (
    SELECT outcome, exception_class, message
    FROM procrastinate_tasks_jobattempt
    WHERE job_id = page.id
    ORDER BY id DESC
    LIMIT 1
) AS attempt ON true
ORDER BY {page_order}
