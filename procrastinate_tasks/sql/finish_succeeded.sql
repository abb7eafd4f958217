-- Records plain successes, many at a time. Only the worker that holds the claim may: same worker, same attempt.
UPDATE procrastinate_jobs AS job
SET status = 'succeeded', attempts = job.attempts + 1, abort_requested = false, worker_id = NULL
FROM unnest(%(job_ids)s::bigint[], %(worker_ids)s::bigint[], %(attempts)s::integer[])
    AS ended (id, worker_id, attempts)
WHERE job.id = ended.id
  AND job.status = 'doing'
  AND job.worker_id = ended.worker_id
  AND job.attempts = ended.attempts
RETURNING job.id
