-- Who else has a job's lock: the one that runs with it, then those that wait for it, in the order of their claim.
SELECT job.id, job.task_name, job.args, job.status = 'doing' AS runs
FROM procrastinate_jobs AS job
WHERE job.lock = %(lock)s
  AND job.status IN ('todo', 'doing')
  AND job.id <> %(job_id)s
ORDER BY job.status = 'doing' DESC, job.priority DESC, job.id
LIMIT %(limit)s
