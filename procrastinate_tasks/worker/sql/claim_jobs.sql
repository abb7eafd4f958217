-- Claims up to %(slots)s ready jobs for one worker, highest priority first, then oldest: those whose task it knows.
-- Others wait for a worker that does; %(tasks)s holds the names as keys, which are looked up without reading them all.
--
-- Each queue is probed through its own index range, so neither another queue's backlog nor jobs due next month
-- are read. Of the jobs that share a lock only the first ready one is taken, and only when none of them runs: those
-- behind it are passed over by an index, however many (of up to 10,000 locks).
-- Scheduled jobs that are due come in the order they fell due, then by priority: at most 1,000 without a lock a probe,
-- and of the locks those of the first hundred jobs; when too few of these may run, the first job of each other lock.
-- A worker that claims again and again says where the last claim of a queue ended: what it passed stays
-- in the index while any transaction may still see it. From there on, jobs of higher priority are new ones.
-- A paused queue is left out, and of a paused task all jobs. Of a limited queue as many jobs are taken as it has room for, under the lock of its
-- rule; a queue without a rule costs neither lock nor write.
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
open_queue AS MATERIALIZED (
    SELECT
        served_queue.name,
        CASE
            WHEN rule.rate_limit IS NULL AND rule.concurrency_limit IS NULL THEN %(slots)s
            ELSE procrastinate_tasks_lock_room_v1(served_queue.name, %(slots)s)
        END AS room,
        coalesce(past.priority, 2147483647) AS past_priority,
        coalesce(past.id, 0) AS past_id
    FROM served_queue
    LEFT JOIN unnest(%(past_queues)s::text[], %(past_priorities)s::integer[], %(past_ids)s::bigint[])
        AS past (name, priority, id) ON past.name = served_queue.name
    LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = served_queue.name
    WHERE rule.paused_at IS NULL
),
urgent AS (
    SELECT ready.id, ready.priority, open_queue.name, open_queue.room
    FROM open_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM procrastinate_jobs AS job
        WHERE job.status = 'todo'
          AND job.queue_name = open_queue.name
          AND job.scheduled_at IS NULL
          AND job.lock IS NULL
          AND -job.priority < -open_queue.past_priority
          AND job.id > open_queue.past_id
          AND jsonb_exists({{open_tasks}}, job.task_name)
        ORDER BY -job.priority, job.id -- as the index has it, and no other: the planner must not read past it
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
    WHERE open_queue.room > 0
),
free AS (
    SELECT ready.id, ready.priority, open_queue.name, open_queue.room
    FROM open_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM procrastinate_jobs AS job
        WHERE job.status = 'todo'
          AND job.queue_name = open_queue.name
          AND job.scheduled_at IS NULL
          AND job.lock IS NULL
          AND (-job.priority, job.id) > (-open_queue.past_priority, open_queue.past_id)
          AND jsonb_exists({{open_tasks}}, job.task_name)
        ORDER BY -job.priority, job.id -- as the index has it, and no other: the planner must not read past it
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
    WHERE open_queue.room > 0
),
-- The first of those with a lock: where each has a lock of its own, that is all that needs to be read.
front AS MATERIALIZED (
    SELECT ready.id, ready.priority, open_queue.name, open_queue.room
    FROM open_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM procrastinate_jobs AS job
        WHERE job.id = ANY(ARRAY(
            SELECT waiting.id
            FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo'
              AND waiting.queue_name = open_queue.name
              AND waiting.scheduled_at IS NULL
              AND waiting.lock IS NOT NULL
            ORDER BY -waiting.priority, waiting.id
            LIMIT 100 + %(slots)s
        ))
          AND job.status::text = 'todo' -- as text: by the primary key, and by no index on all that wait
          AND jsonb_exists({{open_tasks}}, job.task_name)
          AND {{is_next_of_its_lock}}
        ORDER BY job.priority DESC, job.id
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
    WHERE open_queue.room > 0
),
due_front AS MATERIALIZED (
    SELECT ready.id, ready.priority, open_queue.name, open_queue.room
    FROM open_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM procrastinate_jobs AS job
        WHERE job.id = ANY(ARRAY(
            SELECT waiting.id
            FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo'
              AND waiting.queue_name = open_queue.name
              AND waiting.scheduled_at <= now()
              AND waiting.lock IS NOT NULL
              AND jsonb_exists({{open_tasks}}, waiting.task_name)
            ORDER BY waiting.scheduled_at
            LIMIT 100 + %(slots)s
        ))
          AND job.status::text = 'todo' -- as text: by the primary key, and by no index on all that wait
          AND {{is_next_of_its_lock}}
        ORDER BY job.priority DESC, job.id
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
    WHERE open_queue.room > 0
),
-- Behind them, when too few of them may run: the first job of each lock, and no other that waits for it.
lock_in_use (name) AS (
    SELECT (
        SELECT lock FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND lock IS NOT NULL
          AND (SELECT count(*) FROM front) < %(slots)s
          AND EXISTS (
              SELECT FROM open_queue
              WHERE room > 0
                AND (
                    SELECT true FROM procrastinate_jobs AS waiting
                    WHERE waiting.status = 'todo'
                      AND waiting.queue_name = open_queue.name
                      AND waiting.scheduled_at IS NULL
                      AND waiting.lock IS NOT NULL
                    ORDER BY -waiting.priority, waiting.id
                    OFFSET 100 + %(slots)s
                    LIMIT 1
                )
          )
        ORDER BY lock, -priority, id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT lock FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND lock IS NOT NULL AND lock > lock_in_use.name
        ORDER BY lock, -priority, id
        LIMIT 1
    )
    FROM lock_in_use
    WHERE lock_in_use.name IS NOT NULL
),
lock_of_due (name) AS (
    SELECT (
        SELECT lock FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NOT NULL AND lock IS NOT NULL
          AND (SELECT count(*) FROM due_front) < %(slots)s
          AND EXISTS (
              SELECT FROM open_queue
              WHERE room > 0
                AND (
                    SELECT true FROM procrastinate_jobs AS waiting
                    WHERE waiting.status = 'todo'
                      AND waiting.queue_name = open_queue.name
                      AND waiting.scheduled_at <= now()
                      AND waiting.lock IS NOT NULL
                    ORDER BY waiting.scheduled_at
                    OFFSET 100 + %(slots)s
                    LIMIT 1
                )
          )
        ORDER BY lock, -priority, id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT lock FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NOT NULL AND lock IS NOT NULL AND lock > lock_of_due.name
        ORDER BY lock, -priority, id
        LIMIT 1
    )
    FROM lock_of_due
    WHERE lock_of_due.name IS NOT NULL
),
first_of_lock AS (
    SELECT job.id, job.priority, open_queue.name, open_queue.room
    FROM procrastinate_jobs AS job
    JOIN open_queue ON open_queue.name = job.queue_name AND open_queue.room > 0
    WHERE job.id = ANY(ARRAY(
        SELECT (
            SELECT waiting.id
            FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo' AND waiting.scheduled_at IS NULL AND waiting.lock = lock_in_use.name
            ORDER BY -waiting.priority, waiting.id
            LIMIT 1
        )
        FROM (SELECT name FROM lock_in_use WHERE name IS NOT NULL LIMIT 10000) AS lock_in_use
        UNION ALL
        SELECT (
            SELECT waiting.id
            FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo' AND waiting.scheduled_at <= now() AND waiting.lock = lock_of_due.name
            ORDER BY -waiting.priority, waiting.id
            LIMIT 1
        )
        FROM (SELECT name FROM lock_of_due WHERE name IS NOT NULL LIMIT 10000) AS lock_of_due
    ))
      AND job.status::text = 'todo' -- as text: by the primary key, and by no index on all that wait
      AND job.id NOT IN (SELECT id FROM front UNION ALL SELECT id FROM due_front)
      AND jsonb_exists({{open_tasks}}, job.task_name)
      AND {{is_next_of_its_lock}}
    ORDER BY job.priority DESC, job.id
    LIMIT %(slots)s
    FOR UPDATE OF job SKIP LOCKED
),
due_free AS (
    SELECT ready.id, ready.priority, open_queue.name, open_queue.room
    FROM open_queue
    CROSS JOIN LATERAL (
        SELECT job.id, job.priority
        FROM procrastinate_jobs AS job
        WHERE job.id = ANY(ARRAY(
            SELECT waiting.id
            FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo'
              AND waiting.queue_name = open_queue.name
              AND waiting.scheduled_at <= now()
              AND waiting.lock IS NULL
              AND jsonb_exists({{open_tasks}}, waiting.task_name)
            ORDER BY waiting.scheduled_at
            LIMIT 1000
        ))
          AND job.status::text = 'todo' -- as text: by the primary key, and by no index on all that wait
        ORDER BY job.priority DESC, job.id
        LIMIT %(slots)s
        FOR UPDATE OF job SKIP LOCKED
    ) AS ready
    WHERE open_queue.room > 0
),
chosen AS (
    SELECT id, name
    FROM (
        SELECT *, row_number() OVER (PARTITION BY name ORDER BY priority DESC, id) AS place
        FROM (SELECT * FROM urgent UNION ALL SELECT * FROM free UNION ALL SELECT * FROM front
            UNION ALL SELECT * FROM due_free UNION ALL SELECT * FROM due_front
            UNION ALL SELECT * FROM first_of_lock) AS ready
    ) AS candidate
    WHERE place <= room
    ORDER BY priority DESC, id
    LIMIT %(slots)s
),
counted AS (
    UPDATE procrastinate_tasks_queuerule AS rule
    SET recent_starts = procrastinate_tasks_count_starts_v1(rule, now(), started.jobs)
    FROM (SELECT name, count(*) AS jobs FROM chosen GROUP BY name) AS started
    WHERE rule.queue_name = started.name
      AND rule.rate_limit IS NOT NULL
),
-- Those whose time was over end instead; of those that start, the time is spent.
expired AS (
    UPDATE procrastinate_tasks_jobexpiry SET expired_at = now()
    WHERE job_id = ANY(ARRAY(SELECT id FROM chosen)) AND expired_at IS NULL AND expires_at <= now()
    RETURNING job_id
),
started AS (
    DELETE FROM procrastinate_tasks_jobexpiry
    WHERE job_id = ANY(ARRAY(SELECT id FROM chosen)) AND expired_at IS NULL AND expires_at > now()
),
ended AS (
    UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id = ANY(ARRAY(SELECT job_id FROM expired))
)
UPDATE procrastinate_jobs AS job
SET status = 'doing', worker_id = %(worker_id)s
WHERE job.id = ANY(ARRAY(SELECT id FROM chosen EXCEPT SELECT job_id FROM expired)) -- by the primary key, whatever the statistics say
RETURNING
    job.id, job.task_name, job.queue_name, job.priority, job.lock, job.queueing_lock, job.args::text,
    procrastinate_tasks_readable_v1(job.scheduled_at), job.attempts, job.worker_id,
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
