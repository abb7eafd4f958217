-- The ids of all jobs that a filter lets through, the oldest first, up to %(limit)s.
SELECT coalesce(array_agg(found.id ORDER BY found.id), '{}') AS ids
FROM (
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
    LIMIT %(limit)s
) AS found
