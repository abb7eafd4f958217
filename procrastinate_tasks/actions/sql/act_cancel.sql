-- Cancel jobs that wait.
UPDATE procrastinate_jobs
SET status = 'cancelled'
WHERE id = ANY(%(job_ids)s::bigint[])
  AND status = 'todo'
RETURNING id
