-- Insert the jobs of a stretch. Procrastinate's triggers tell its workers of those that wait.
INSERT INTO procrastinate_jobs (
    id, queue_name, task_name, priority, lock, queueing_lock, args, status, scheduled_at, attempts,
    abort_requested, worker_id
)
SELECT
    id, queue_name, task_name, priority, lock,
    CASE WHEN state = 'scheduled' THEN format('seeded:%%s', id) END,
    args,
    CASE
        WHEN state IN ('ready', 'blocked', 'scheduled', 'retrying') THEN 'todo'
        WHEN state IN ('running', 'orphaned') THEN 'doing'
        ELSE state
    END::procrastinate_job_status,
    scheduled_at,
    CASE WHEN state IN ('running', 'orphaned') THEN 0 ELSE runs END,
    state = 'aborted',
    worker_id
FROM seed_plan
ORDER BY id
