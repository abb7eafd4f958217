-- How many runs one fault ended in each of the last 24 hours, the oldest first: hours without one are left out.
SELECT
    floor(extract(EPOCH FROM finished_at - (now() - interval '24 hours')) / 3600)::integer AS hour,
    count(*) AS runs
FROM procrastinate_tasks_jobattempt
WHERE task_name = %(task)s
  AND fingerprint = %(fingerprint)s
  AND exception_class = %(exception_class)s
  AND exception_class > ''
  AND finished_at > now() - interval '24 hours'
  AND finished_at <= now()
GROUP BY 1
ORDER BY 1
