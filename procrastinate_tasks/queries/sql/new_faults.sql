-- The faults that the newest release brought and that nobody muted, with the jobs they struck of late.
SELECT fault.task_name, fault.fingerprint, fault.exception_class, release.name AS release, struck.jobs
FROM (SELECT name, first_seen_at FROM procrastinate_tasks_release ORDER BY first_seen_at DESC, name DESC LIMIT 1) AS release
JOIN procrastinate_tasks_fault AS fault
    ON fault.first_seen_at >= release.first_seen_at
    AND fault.first_release = release.name
    AND fault.muted_at IS NULL
CROSS JOIN LATERAL (
    SELECT count(DISTINCT job_id) AS jobs
    FROM procrastinate_tasks_jobattempt AS attempt
    WHERE attempt.task_name = fault.task_name
      AND attempt.fingerprint = fault.fingerprint
      AND attempt.exception_class = fault.exception_class
      AND attempt.exception_class > ''
      AND attempt.finished_at > now() - interval '24 hours'
) AS struck
WHERE struck.jobs > 0
ORDER BY struck.jobs DESC, fault.id
LIMIT %(at_most)s
