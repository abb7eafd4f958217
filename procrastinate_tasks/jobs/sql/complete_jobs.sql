-- End jobs, or put them back, that their worker still holds; write what each attempt came to.
-- A job is still held while it is `doing`, at the attempt that was claimed, under the worker that claimed it
-- (or under none: its worker's row was pruned, and nobody rescued the job yet). A settled job is nobody's.
-- A job that would wait again beside a job with its queueing lock fails in favour of that one.
-- Answers one row for each job settled; a job that is missing in the answer was lost.
-- Of a run whose task and queue are not told, the job's row tells them; its worker's row tells an untold host and release.
-- Hosts send how long ago a run was and in how long its job is due: no instant of theirs is stored, whose clock may
-- be wrong. A test may say what time it is.
-- The state is compared as text, so that jobs are found by their primary key and by no index on running jobs.
WITH wanted AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset(%(ends)s::json) AS item (
        job_id bigint, worker_id bigint, attempts integer, status text, outcome text, counts_attempt boolean,
        deletes_job boolean, retry_in double precision, priority integer, queue text, lock text, task_name text,
        queue_name text, host text, release text, started_ago double precision, finished_ago double precision, result text,
        exception_class text, message text, traceback text, fingerprint text, as_of timestamptz
    )
    ORDER BY job_id
),
contested AS MATERIALIZED (
    SELECT job.id, job.queueing_lock
    FROM wanted
    JOIN procrastinate_jobs AS job ON job.id = wanted.job_id
    WHERE wanted.status = 'todo'
      AND job.id = ANY(ARRAY(SELECT job_id FROM wanted))
      AND job.queueing_lock IS NOT NULL
      AND NOT job.abort_requested
      AND job.status::text = 'doing'
      AND job.attempts = wanted.attempts
      AND (job.worker_id IS NULL OR job.worker_id = wanted.worker_id)
    ORDER BY job.id
    FOR UPDATE OF job
),
superseded AS MATERIALIZED (
    SELECT
        contested.id AS job_id,
        coalesce(
            sibling.id, CASE WHEN row_number() OVER same_lock > 1 THEN first_value(contested.id) OVER same_lock END
        ) AS sibling_id
    FROM contested
    LEFT JOIN procrastinate_jobs AS sibling
        ON sibling.queueing_lock = contested.queueing_lock
        AND sibling.status = 'todo'
    WINDOW same_lock AS (PARTITION BY contested.queueing_lock ORDER BY contested.id)
),
updated AS (
    UPDATE procrastinate_jobs AS job
    SET
        (status, scheduled_at) = (
            SELECT
                decided.status::procrastinate_job_status,
                -- None, and not now, for a job that shall run at once: a claim that began a moment earlier would
                -- take it for one of the future, and those do not hold back younger ones with their lock.
                CASE
                    WHEN decided.status = 'todo'
                    THEN coalesce(wanted.as_of, statement_timestamp()) + wanted.retry_in * interval '1 second'
                    ELSE job.scheduled_at
                END
            FROM (
                SELECT
                    CASE
                        WHEN wanted.status <> 'todo' THEN wanted.status
                        WHEN job.abort_requested THEN 'aborted'
                        WHEN superseded.sibling_id IS NOT NULL THEN 'failed'
                        ELSE 'todo'
                    END AS status
            ) AS decided
        ),
        attempts = least(job.attempts::bigint + wanted.counts_attempt::integer, 2147483647),
        abort_requested = false,
        worker_id = NULL,
        priority = coalesce(wanted.priority, job.priority),
        queue_name = coalesce(wanted.queue, job.queue_name),
        lock = coalesce(wanted.lock, job.lock)
    FROM wanted
    LEFT JOIN superseded ON superseded.job_id = wanted.job_id
    WHERE job.id = wanted.job_id
      AND job.id = ANY(ARRAY(SELECT job_id FROM wanted)) -- by the primary key, whatever the statistics say
      AND job.status::text = 'doing'
      AND job.attempts = wanted.attempts
      AND (job.worker_id IS NULL OR job.worker_id = wanted.worker_id)
      AND NOT (wanted.deletes_job AND wanted.status <> 'todo')
    RETURNING
        wanted.*, job.status::text AS end_status, superseded.sibling_id, job.task_name AS own_task_name,
        job.queue_name AS own_queue_name
),
deleted AS (
    DELETE FROM procrastinate_jobs AS job
    USING wanted
    WHERE job.id = wanted.job_id
      AND job.id = ANY(ARRAY(SELECT job_id FROM wanted)) -- by the primary key, whatever the statistics say
      AND job.status::text = 'doing'
      AND job.attempts = wanted.attempts
      AND (job.worker_id IS NULL OR job.worker_id = wanted.worker_id)
      AND wanted.deletes_job
      AND wanted.status <> 'todo'
    RETURNING
        wanted.*, wanted.status AS end_status, NULL::bigint AS sibling_id, job.task_name AS own_task_name,
        job.queue_name AS own_queue_name
),
concluded AS (
    SELECT
        ended.*,
        CASE
            WHEN end_status = status THEN outcome
            WHEN end_status = 'aborted' THEN 'aborted'
            ELSE 'superseded'
        END AS end_outcome
    FROM (SELECT * FROM updated UNION ALL SELECT * FROM deleted) AS ended
),
recorded AS (
    INSERT INTO procrastinate_tasks_jobattempt (
        job_id, attempt, task_name, queue_name, worker_id, host, release, started_at, finished_at, outcome, result,
        exception_class, message, traceback, fingerprint
    )
    SELECT
        job_id, least(greatest(attempts::bigint + 1, 1), 2147483647), coalesce(task_name, own_task_name),
        coalesce(queue_name, own_queue_name), worker_id,
        coalesce(host, (SELECT live.host FROM procrastinate_tasks_liveworker AS live WHERE live.worker_id = concluded.worker_id), ''),
        CASE
            WHEN host IS NULL
            THEN coalesce((SELECT live.release FROM procrastinate_tasks_liveworker AS live WHERE live.worker_id = concluded.worker_id), '')
            ELSE coalesce(release, '')
        END,
        coalesce(as_of, statement_timestamp()) - started_ago * interval '1 second',
        coalesce(as_of, statement_timestamp()) - finished_ago * interval '1 second', end_outcome, result::jsonb,
        coalesce(exception_class, ''),
        coalesce(message, ''), coalesce(traceback, ''), coalesce(fingerprint, '')
    FROM concluded
),
-- Where only so many jobs may run at a time, each end makes room for one that waits, maybe for another worker.
queue_with_room AS (
    SELECT rule.queue_name
    FROM procrastinate_tasks_queuerule AS rule
    WHERE rule.concurrency_limit IS NOT NULL
      AND rule.queue_name IN (SELECT coalesce(queue_name, own_queue_name) FROM concluded)
      AND coalesce( -- each in the order of its index, so that no other is read
          (
              SELECT true FROM procrastinate_jobs
              WHERE status = 'todo' AND queue_name = rule.queue_name AND scheduled_at IS NULL AND lock IS NULL
              ORDER BY -priority, id
              LIMIT 1
          ),
          (
              SELECT true FROM procrastinate_jobs
              WHERE status = 'todo' AND queue_name = rule.queue_name AND scheduled_at IS NULL AND lock IS NOT NULL
              ORDER BY -priority, id
              LIMIT 1
          ),
          (
              SELECT true FROM procrastinate_jobs
              WHERE status = 'todo' AND queue_name = rule.queue_name AND scheduled_at <= now() AND lock IS NULL
              ORDER BY scheduled_at
              LIMIT 1
          ),
          (
              SELECT true FROM procrastinate_jobs
              WHERE status = 'todo' AND queue_name = rule.queue_name AND scheduled_at <= now() AND lock IS NOT NULL
              ORDER BY scheduled_at
              LIMIT 1
          )
      )
)
SELECT
    job_id,
    end_status AS status,
    end_outcome AS outcome,
    sibling_id,
    (SELECT count(procrastinate_tasks_wake_workers_v1(queue_name)) FROM queue_with_room) AS woken
FROM concluded
