-- Takes jobs over that this worker still runs but whose worker row was pruned, before anyone rescued them.
UPDATE procrastinate_jobs AS job
SET worker_id = %(worker_id)s
FROM unnest(%(job_ids)s::bigint[], %(attempts)s::integer[]) AS running (id, attempts)
WHERE job.id = running.id
  AND job.status = 'doing'
  AND job.worker_id IS NULL
  AND job.attempts = running.attempts
RETURNING job.id
