-- What can hold one job back: its own times, its lock, its queue's rule, and who comes first.
SELECT
    clock.now,
    job.id,
    job.task_name,
    coalesce(
        (
            SELECT name FROM procrastinate_tasks_release
            WHERE jsonb_exists(tasks, job.task_name)
            ORDER BY first_seen_at DESC, name DESC
            LIMIT 1
        ),
        ''
    ) AS known_by_release,
    job.queue_name,
    job.status::text AS status,
    procrastinate_tasks_readable_v1(job.scheduled_at) AS scheduled_at,
    job.worker_id,
    worker.last_heartbeat,
    coalesce(live.orphaned_after, %(orphaned_after)s::interval) AS orphaned_after,
    (SELECT max(at) FROM procrastinate_events WHERE job_id = job.id AND type = 'started') AS started_at,
    (SELECT max(at) FROM procrastinate_events WHERE job_id = job.id AND type <> 'scheduled') AS changed_at,
    (SELECT expired_at FROM procrastinate_tasks_jobexpiry WHERE job_id = job.id) AS expired_at,
    coalesce(last.outcome, '') AS last_outcome,
    coalesce(last.exception_class, '') AS last_exception,
    coalesce(last.message, '') AS last_message,
    coalesce(rule.paused_at, pause.paused_at) AS paused_at,
    CASE WHEN rule.paused_at IS NULL THEN coalesce(pause.paused_by, '') ELSE rule.paused_by END AS paused_by,
    CASE WHEN rule.paused_at IS NULL THEN coalesce(pause.pause_reason, '') ELSE rule.pause_reason END AS pause_reason,
    CASE WHEN rule.paused_at IS NULL THEN pause.paused_until ELSE rule.paused_until END AS paused_until,
    rule.paused_at IS NULL AND pause.paused_at IS NOT NULL AS is_task_paused,
    rule.rate_limit,
    rule.rate_period,
    (procrastinate_tasks_rate_room_v1(rule, clock.now)).opens_at AS rate_opens_at,
    rule.concurrency_limit,
    (
        SELECT count(*) FROM procrastinate_jobs AS other
        WHERE other.status = 'doing' AND other.queue_name = job.queue_name
    ) AS queue_running,
    holder.id AS lock_holder_id,
    coalesce(holder.status = 'doing', false) AS lock_holder_runs,
    ahead.jobs AS jobs_ahead
FROM procrastinate_jobs AS job
CROSS JOIN (SELECT coalesce(%(now)s::timestamptz, now()) AS now) AS clock
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = job.queue_name
LEFT JOIN procrastinate_tasks_taskpause AS pause ON pause.task_name = job.task_name
LEFT JOIN LATERAL (
    SELECT outcome, exception_class, message FROM procrastinate_tasks_jobattempt
    WHERE job_id = job.id
    ORDER BY id DESC
    LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT other.id, other.status FROM procrastinate_jobs AS other
    WHERE {{is_blocked at clock.now}}
    ORDER BY other.status = 'doing' DESC, other.priority DESC, other.id
    LIMIT 1
) AS holder ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs
    FROM (
        SELECT FROM procrastinate_jobs AS other
        WHERE other.status = 'todo'
          AND other.queue_name = job.queue_name
          AND (other.scheduled_at IS NULL OR other.scheduled_at <= clock.now)
          AND (other.priority, -other.id) > (job.priority, -job.id)
        LIMIT 1000
    ) AS first
) AS ahead
WHERE job.id = %(job_id)s
