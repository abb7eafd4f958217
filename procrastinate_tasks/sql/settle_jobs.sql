-- End jobs, or put them back, that their worker still holds; write what each attempt came to.
-- A job is still held while it is `doing`, at the attempt that was claimed, under the worker that claimed it
-- (or under none: its worker's row was pruned, and nobody rescued the job yet).
-- A job that would wait again beside a job with its queueing lock fails in favour of that one.
-- Answers one row for each job settled; a job that is missing in the answer was lost.
WITH wanted AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(job_ids)s::bigint[],
        %(worker_ids)s::bigint[],
        %(attempts)s::integer[],
        %(statuses)s::text[],
        %(outcomes)s::text[],
        %(counts)s::boolean[],
        %(deletes)s::boolean[],
        %(retry_ats)s::timestamptz[],
        %(priorities)s::integer[],
        %(queues)s::text[],
        %(locks)s::text[],
        %(task_names)s::text[],
        %(queue_names)s::text[],
        %(hosts)s::text[],
        %(releases)s::text[],
        %(started_ats)s::timestamptz[],
        %(finished_ats)s::timestamptz[],
        %(results)s::text[],
        %(exception_classes)s::text[],
        %(messages)s::text[],
        %(tracebacks)s::text[],
        %(fingerprints)s::text[]
    ) AS item (
        job_id, worker_id, attempts, status, outcome, counts, deletes, retry_at, new_priority, new_queue, new_lock,
        task_name, queue_name, host, release, started_at, finished_at, result, exception_class, message, traceback,
        fingerprint
    )
),
held AS (
    SELECT wanted.*, job.queueing_lock, job.abort_requested
    FROM wanted
    JOIN procrastinate_jobs AS job ON job.id = wanted.job_id
    WHERE job.id = ANY(%(job_ids)s::bigint[]) -- by the primary key, whatever the statistics say
      AND job.status = 'doing'
      AND job.attempts = wanted.attempts
      AND (job.worker_id IS NULL OR job.worker_id = wanted.worker_id)
    ORDER BY job.id
    FOR UPDATE OF job
),
numbered AS (
    SELECT
        held.*,
        first_value(job_id) OVER same_lock AS first_twin,
        row_number() OVER same_lock AS twin
    FROM held
    WINDOW same_lock AS (
        PARTITION BY coalesce(queueing_lock, job_id::text), queueing_lock IS NULL, status = 'todo' ORDER BY job_id
    )
),
decided AS (
    SELECT
        numbered.*,
        CASE
            WHEN numbered.status <> 'todo' THEN numbered.status
            WHEN numbered.abort_requested THEN 'aborted'
            WHEN sibling.id IS NOT NULL OR numbered.twin > 1 THEN 'failed'
            ELSE 'todo'
        END AS end_status,
        coalesce(sibling.id, CASE WHEN numbered.twin > 1 THEN numbered.first_twin END) AS sibling_id
    FROM numbered
    LEFT JOIN procrastinate_jobs AS sibling
        ON sibling.queueing_lock = numbered.queueing_lock
        AND sibling.status = 'todo'
),
concluded AS (
    SELECT
        decided.*,
        CASE
            WHEN end_status = status THEN outcome
            WHEN end_status = 'aborted' THEN 'aborted'
            ELSE 'superseded'
        END AS end_outcome
    FROM decided
),
updated AS (
    UPDATE procrastinate_jobs AS job
    SET
        status = concluded.end_status::procrastinate_job_status,
        attempts = job.attempts + concluded.counts::integer,
        abort_requested = false,
        -- None, and not now, for a job that shall run at once: a claim that began a moment earlier would take it for
        -- one of the future, and jobs of the future do not hold back younger ones with their lock.
        scheduled_at = CASE WHEN concluded.end_status = 'todo' THEN concluded.retry_at ELSE job.scheduled_at END,
        priority = coalesce(concluded.new_priority, job.priority),
        queue_name = coalesce(concluded.new_queue, job.queue_name),
        lock = coalesce(concluded.new_lock, job.lock)
    FROM concluded
    WHERE job.id = ANY(%(job_ids)s::bigint[])
      AND job.id = concluded.job_id
      AND NOT (concluded.deletes AND concluded.end_status <> 'todo')
),
deleted AS (
    DELETE FROM procrastinate_jobs AS job
    USING concluded
    WHERE job.id = concluded.job_id
      AND concluded.deletes
      AND concluded.end_status <> 'todo'
),
recorded AS (
    INSERT INTO procrastinate_tasks_jobattempt (
        job_id, attempt, task_name, queue_name, worker_id, host, release, started_at, finished_at, outcome, result,
        exception_class, message, traceback, fingerprint
    )
    SELECT
        job_id, attempts + 1, task_name, queue_name, worker_id, host, release, started_at, finished_at, end_outcome,
        result::jsonb, exception_class, message, traceback, fingerprint
    FROM concluded
),
-- Where only so many jobs may run at a time, each end makes room for one that waits, maybe for another worker.
queue_with_room AS (
    SELECT rule.queue_name
    FROM procrastinate_tasks_queuerule AS rule
    WHERE rule.concurrency_limit IS NOT NULL
      AND rule.queue_name IN (SELECT queue_name FROM concluded)
      AND EXISTS (
          SELECT FROM procrastinate_jobs AS job WHERE job.status = 'todo' AND job.queue_name = rule.queue_name
      )
)
SELECT
    job_id,
    end_status AS status,
    end_outcome AS outcome,
    sibling_id,
    (SELECT count(procrastinate_tasks_wake_workers_v1(queue_name)) FROM queue_with_room) AS woken
FROM concluded
