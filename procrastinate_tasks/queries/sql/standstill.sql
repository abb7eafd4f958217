-- What a pause of a queue or a task would hold back: by task, the jobs that are due, and those that fall due within a
-- day. Running jobs finish.
SELECT
    job.task_name,
    count(*) FILTER (WHERE job.scheduled_at IS NULL OR job.scheduled_at <= now()) AS due,
    count(*) FILTER (WHERE job.scheduled_at > now()) AS within_a_day
FROM procrastinate_jobs AS job
WHERE job.status = 'todo'
  AND (%(queue)s::text IS NULL OR job.queue_name = %(queue)s)
  AND (%(task)s::text IS NULL OR job.task_name = %(task)s)
  AND (job.scheduled_at IS NULL OR job.scheduled_at <= now() + interval '24 hours')
GROUP BY job.task_name
ORDER BY job.task_name
