-- The ids of all jobs that a filter finds, the oldest first: for acting on all of them.
SELECT job.id
FROM procrastinate_jobs AS job
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = job.queue_name
WHERE {in_group}
  AND {in_tab}
  AND
{filtered}
  AND
{looked_at}
ORDER BY job.id
LIMIT %(at_most)s
