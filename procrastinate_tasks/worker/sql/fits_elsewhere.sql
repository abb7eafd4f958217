-- Whether somebody may have code that takes a job which does not fit here: a living worker whose code is another, or a
-- release that was announced or seen lately, whose workers are still to come or were just killed. And what was made of the misfit before.
WITH before AS MATERIALIZED (
    SELECT count(*) AS times, now() - min(finished_at) AS lasted
    FROM procrastinate_tasks_jobattempt
    WHERE job_id = %(job_id)s AND outcome = 'interrupted' AND exception_class = %(exception_class)s
)
SELECT
    now() AS now,
    before.times,
    before.lasted,
    EXISTS (
        SELECT FROM procrastinate_tasks_liveworker AS live
        JOIN procrastinate_workers AS worker ON worker.id = live.worker_id
        WHERE worker.last_heartbeat >= now() - live.orphaned_after
          AND (live.release, live.code) <> (%(release)s::text, %(code)s::text)
          AND jsonb_exists(live.tasks, %(task_name)s::text)
    ) AS lives_elsewhere,
    EXISTS (
        SELECT FROM procrastinate_tasks_release
        WHERE name <> %(release)s::text
          AND coalesce(last_seen_at, first_seen_at) > now() - %(patience)s::interval
          AND jsonb_exists(tasks, %(task_name)s::text)
    ) AS was_seen_lately
FROM before
