-- Claims up to %(slots)s ready jobs for one worker, highest priority first, then oldest.
--
-- Each queue is probed through its own index range, so neither another queue's backlog nor jobs due next month
-- are read. Of the jobs that share a lock only the first ready one is taken, and only when none of them runs.
-- Scheduled jobs that are due come in the order they fell due, at most 1,000 a probe, then by priority.
WITH RECURSIVE known_queue (name) AS (
    (SELECT min(queue_name) FROM procrastinate_jobs)
    UNION ALL
    SELECT (SELECT min(queue_name) FROM procrastinate_jobs WHERE queue_name > known_queue.name)
    FROM known_queue
    WHERE known_queue.name IS NOT NULL
),
served_queue AS (
    SELECT name FROM known_queue WHERE name IS NOT NULL AND %(queues)s::text[] IS NULL
    UNION ALL
    SELECT unnest(%(queues)s::text[])
),
immediate AS (
    SELECT ready.id, ready.priority
    FROM served_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM procrastinate_jobs AS job
        WHERE job.status = 'todo'
          AND job.queue_name = served_queue.name
          AND job.scheduled_at IS NULL
          AND (
              job.lock IS NULL
              OR NOT EXISTS (
                  SELECT FROM procrastinate_jobs AS other
                  WHERE other.lock = job.lock
                    AND other.status IN ('todo', 'doing')
                    AND (
                        other.status = 'doing'
                        OR (
                            (other.scheduled_at IS NULL OR other.scheduled_at <= now())
                            AND (other.priority, -other.id) > (job.priority, -job.id)
                        )
                    )
              )
          )
        ORDER BY -job.priority, job.id -- as the index has it, and no other: the planner must not read past it
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
),
due AS (
    SELECT ready.id, ready.priority
    FROM served_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM (
            SELECT waiting.id
            FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo'
              AND waiting.queue_name = served_queue.name
              AND waiting.scheduled_at <= now()
            ORDER BY waiting.scheduled_at
            LIMIT 1000
        ) AS window_of_due
        JOIN procrastinate_jobs AS job ON job.id = window_of_due.id
        WHERE job.status = 'todo'
          AND (
              job.lock IS NULL
              OR NOT EXISTS (
                  SELECT FROM procrastinate_jobs AS other
                  WHERE other.lock = job.lock
                    AND other.status IN ('todo', 'doing')
                    AND (
                        other.status = 'doing'
                        OR (
                            (other.scheduled_at IS NULL OR other.scheduled_at <= now())
                            AND (other.priority, -other.id) > (job.priority, -job.id)
                        )
                    )
              )
          )
        ORDER BY job.priority DESC, job.id
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
),
chosen AS (
    SELECT id FROM (SELECT * FROM immediate UNION ALL SELECT * FROM due) AS candidate
    ORDER BY priority DESC, id
    LIMIT %(slots)s
)
UPDATE procrastinate_jobs AS job
SET status = 'doing', worker_id = %(worker_id)s
WHERE job.id = ANY(ARRAY(SELECT id FROM chosen)) -- by the primary key, whatever the statistics say
RETURNING
    job.id, job.task_name, job.queue_name, job.priority, job.lock, job.queueing_lock, job.args::text,
    job.scheduled_at, job.attempts, job.worker_id,
    -- How often a child died while it ran this job, since the job was last retried by hand.
    (
        SELECT count(*)
        FROM procrastinate_tasks_jobattempt AS attempt
        WHERE attempt.job_id = job.id
          AND attempt.exception_class = 'procrastinate_tasks.exceptions.ChildLost'
          AND attempt.finished_at > coalesce(
              (
                  SELECT max(event.at) FROM procrastinate_events AS event
                  WHERE event.job_id = job.id AND event.type = 'retried'
              ),
              '-infinity'
          )
    )::integer
