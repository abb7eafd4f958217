-- Ask running jobs to stop; Procrastinate's trigger tells their workers.
UPDATE procrastinate_jobs
SET abort_requested = true
WHERE id = ANY(%(job_ids)s::bigint[])
  AND status = 'doing'
  AND NOT abort_requested
RETURNING id
