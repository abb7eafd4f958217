-- The jobs in progress with their workers, those that lost theirs first; a worker says how long it may be silent.
SELECT
    job.id,
    job.task_name,
    job.queue_name,
    job.attempts,
    job.worker_id,
    job.abort_requested,
    started.at AS started_at,
    NOT {{is_alive}} AS is_orphaned
FROM procrastinate_jobs AS job
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
LEFT JOIN LATERAL (
    SELECT max(at) AS at FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.type = 'started'
) AS started ON true
WHERE job.status = 'doing'
ORDER BY is_orphaned DESC, started.at, job.id
LIMIT %(at_most)s
