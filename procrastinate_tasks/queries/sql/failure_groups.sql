-- Faults with the jobs they struck, each fault found by one step in an index that holds nothing else: all, those of a
-- task, or one. A fault is what its fingerprint says, or without one its exception. Of each, the jobs of the latest runs
-- are counted, of at most so many. Where it was first seen is remembered for longer than its runs.
WITH RECURSIVE fault (task_name, fingerprint, exception_class, place) AS (
    (
        SELECT task_name, fingerprint, exception_class, 1
        FROM procrastinate_tasks_jobattempt
        WHERE exception_class > ''
          AND (%(task)s::text IS NULL OR task_name = %(task)s)
          AND (%(fingerprint)s::text IS NULL OR fingerprint = %(fingerprint)s)
          AND (%(exception_class)s::text IS NULL OR exception_class = %(exception_class)s)
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
          AND (%(task)s::text IS NULL OR task_name = %(task)s)
          AND (task_name, fingerprint, exception_class) > (fault.task_name, fault.fingerprint, fault.exception_class)
        ORDER BY task_name, fingerprint, exception_class
        LIMIT 1
    ) AS following
    WHERE fault.place < %(most_groups)s
),
newest_release AS (
    SELECT name, first_seen_at FROM procrastinate_tasks_release ORDER BY first_seen_at DESC, name DESC LIMIT 1
)
SELECT
    fault.task_name,
    fault.fingerprint,
    fault.exception_class,
    counted.last_hour,
    counted.last_day,
    counted.last_week,
    counted.total,
    least(noted.first_seen_at, oldest.finished_at) AS first_seen_at,
    CASE WHEN noted.first_seen_at <= oldest.finished_at THEN noted.first_release ELSE oldest.release END AS first_release,
    latest.finished_at AS last_seen_at,
    latest.release,
    latest.message,
    latest.traceback,
    latest.job_id AS last_job_id,
    noted.muted_at,
    coalesce(noted.muted_by, '') AS muted_by,
    coalesce(noted.mute_reason, '') AS mute_reason,
    noted.muted_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM procrastinate_tasks_release AS later
        WHERE later.name = latest.release AND later.first_seen_at > noted.muted_at
    ) AS is_muted,
    coalesce(
        newest_release.first_seen_at <= least(noted.first_seen_at, oldest.finished_at)
        AND latest.release = newest_release.name,
        false
    ) AS is_new,
    now() AS now
FROM fault
LEFT JOIN procrastinate_tasks_fault AS noted USING (task_name, fingerprint, exception_class)
LEFT JOIN newest_release ON true
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE struck_at > now() - interval '1 hour') AS last_hour,
        count(*) FILTER (WHERE struck_at > now() - interval '24 hours') AS last_day,
        count(*) FILTER (WHERE struck_at > now() - interval '7 days') AS last_week,
        count(*) AS total
    FROM (
        SELECT max(finished_at) AS struck_at
        FROM (
            SELECT job_id, finished_at FROM procrastinate_tasks_jobattempt AS attempt
            WHERE attempt.task_name = fault.task_name
              AND attempt.fingerprint = fault.fingerprint
              AND attempt.exception_class = fault.exception_class
              AND attempt.exception_class > ''
            ORDER BY finished_at DESC
            LIMIT %(at_most)s
        ) AS run
        GROUP BY job_id
    ) AS job
) AS counted
CROSS JOIN LATERAL (
    SELECT finished_at, release FROM procrastinate_tasks_jobattempt AS attempt
    WHERE attempt.task_name = fault.task_name
      AND attempt.fingerprint = fault.fingerprint
      AND attempt.exception_class = fault.exception_class
      AND attempt.exception_class > ''
    ORDER BY finished_at
    LIMIT 1
) AS oldest
CROSS JOIN LATERAL (
    SELECT finished_at, release, message, traceback, job_id FROM procrastinate_tasks_jobattempt AS attempt
    WHERE attempt.task_name = fault.task_name
      AND attempt.fingerprint = fault.fingerprint
      AND attempt.exception_class = fault.exception_class
      AND attempt.exception_class > ''
    ORDER BY finished_at DESC
    LIMIT 1
) AS latest
ORDER BY latest.finished_at DESC
