-- Store how far jobs have come. A report may come a moment after its run ended; one of an earlier run comes too late.
INSERT INTO procrastinate_tasks_jobprogress AS known (job_id, attempt, done, total, text, at)
SELECT job.id, least(greatest(said.attempt, 1), 2147483647), said.done, said.total, said.text, now()
FROM unnest(
    %(job_ids)s::bigint[], %(attempts)s::bigint[], %(dones)s::float8[], %(totals)s::float8[], %(texts)s::text[]
) AS said (job_id, attempt, done, total, text)
JOIN procrastinate_jobs AS job ON job.id = said.job_id
WHERE job.attempts BETWEEN said.attempt - 1 AND said.attempt
ORDER BY job.id
FOR KEY SHARE OF job
ON CONFLICT (job_id) DO UPDATE
    SET attempt = excluded.attempt, done = excluded.done, total = excluded.total, text = excluded.text,
        at = excluded.at
    WHERE known.attempt <= excluded.attempt
