-- The living workers: whether they serve a queue, know a task (a worker of Procrastinate's own does not say), and
-- have a free slot.
SELECT
    worker.id,
    coalesce(jsonb_exists(live.queues, %(queue)s), true) AS serves_queue,
    coalesce(jsonb_exists(live.tasks, %(task)s), true) AS knows_task,
    live.capacity,
    (SELECT count(*) FROM procrastinate_jobs AS job WHERE job.status = 'doing' AND job.worker_id = worker.id) AS running
FROM procrastinate_workers AS worker
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = worker.id
WHERE {{is_alive at %(now)s::timestamptz}}
ORDER BY worker.id
