-- Failed runs by task and fault, each fault found by one step in an index that holds nothing else. A fault is what its
-- fingerprint says, or without one its exception. Of each, the latest runs are counted, at most so many.
WITH RECURSIVE fault (task_name, fingerprint, exception_class, place) AS (
    (
        SELECT task_name, fingerprint, exception_class, 1
        FROM procrastinate_tasks_jobattempt
        WHERE exception_class > ''
        ORDER BY task_name, fingerprint, exception_class
        LIMIT 1
    )
    UNION ALL
    SELECT following.*, fault.place + 1
    FROM fault
    CROSS JOIN LATERAL (
        SELECT task_name, fingerprint, exception_class
        FROM procrastinate_tasks_jobattempt
        WHERE exception_class > ''
          AND (task_name, fingerprint, exception_class) > (fault.task_name, fault.fingerprint, fault.exception_class)
        ORDER BY task_name, fingerprint, exception_class
        LIMIT 1
    ) AS following
    WHERE fault.place < %(most_groups)s
)
SELECT
    fault.task_name,
    fault.fingerprint,
    fault.exception_class,
    counted.last_hour,
    counted.last_day,
    counted.last_week,
    counted.total,
    (
        SELECT min(finished_at) FROM procrastinate_tasks_jobattempt AS attempt
        WHERE (attempt.task_name, attempt.fingerprint, attempt.exception_class)
            = (fault.task_name, fault.fingerprint, fault.exception_class)
          AND attempt.exception_class > ''
    ) AS first_seen_at,
    latest.finished_at AS last_seen_at,
    latest.release,
    latest.message,
    latest.job_id AS last_job_id,
    now() AS now
FROM fault
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE finished_at > now() - interval '1 hour') AS last_hour,
        count(*) FILTER (WHERE finished_at > now() - interval '24 hours') AS last_day,
        count(*) FILTER (WHERE finished_at > now() - interval '7 days') AS last_week,
        count(*) AS total
    FROM (
        SELECT finished_at FROM procrastinate_tasks_jobattempt AS attempt
        WHERE attempt.task_name = fault.task_name
          AND attempt.fingerprint = fault.fingerprint
          AND attempt.exception_class = fault.exception_class
          AND attempt.exception_class > ''
        ORDER BY finished_at DESC
        LIMIT %(at_most)s
    ) AS run
) AS counted
CROSS JOIN LATERAL (
    SELECT finished_at, release, message, job_id FROM procrastinate_tasks_jobattempt AS attempt
    WHERE attempt.task_name = fault.task_name
      AND attempt.fingerprint = fault.fingerprint
      AND attempt.exception_class = fault.exception_class
      AND attempt.exception_class > ''
    ORDER BY finished_at DESC
    LIMIT 1
) AS latest
WHERE %(task)s::text IS NULL OR fault.task_name = %(task)s
ORDER BY latest.finished_at DESC
