-- Sum up the attempts that ended within a window, by slot, task and queue; doing it again changes nothing.
-- A job waited from the last moment it became ready until it started, by the clocks of database and worker; of a job
-- that is gone nobody knows. Runs that a shutdown or a person cut short say nothing of a task and are left out; how
-- long a lost worker's run took is not known.
-- What is new in a slot is added to the totals of its task, which only grow: of a slot that is summed up anew the
-- difference. They are of so many tasks at most; what comes after those is counted together.
WITH run AS (
    SELECT
        date_bin(%(slot)s, attempt.finished_at, 'epoch') AS slot_at,
        attempt.task_name,
        attempt.queue_name,
        CASE
            WHEN attempt.outcome = 'succeeded' THEN 'succeeded'
            WHEN attempt.outcome IN ('retrying', 'crashed') THEN 'retried'
            ELSE 'failed'
        END AS ended,
        CASE WHEN attempt.outcome NOT IN ('crashed', 'parked') THEN attempt.finished_at - procrastinate_tasks_readable_v1(attempt.started_at) END AS lasted,
        ready.waited
    FROM procrastinate_tasks_jobattempt AS attempt
    LEFT JOIN LATERAL (
        SELECT
            procrastinate_tasks_readable_v1(attempt.started_at) - procrastinate_tasks_readable_v1(
                coalesce(max(event.at) FILTER (WHERE event.at <= attempt.started_at), attempt.started_at)
            ) AS waited
        FROM procrastinate_events AS event
        WHERE event.job_id = attempt.job_id
          AND event.type IN ('deferred', 'deferred_for_retry', 'scheduled', 'retried')
        HAVING count(*) > 0
    ) AS ready ON true
    WHERE attempt.outcome IN ('succeeded', 'failed', 'superseded', 'parked', 'retrying', 'crashed')
      AND attempt.finished_at >= %(from_at)s
      AND attempt.finished_at < %(until)s
),
-- A bucket holds what took as long as its bound, which an interval of whole microseconds can say exactly.
shape AS (
    SELECT
        slot_at,
        task_name,
        queue_name,
        ended,
        width_bucket(waited - interval '1 microsecond', %(bounds)s::interval[]) AS wait_bucket,
        width_bucket(lasted - interval '1 microsecond', %(bounds)s::interval[]) AS run_bucket,
        count(*) AS runs,
        sum(greatest(least(waited, %(longest)s::interval), interval '0')) AS waited,
        sum(greatest(least(lasted, %(longest)s::interval), interval '0')) AS lasted
    FROM run
    GROUP BY slot_at, task_name, queue_name, ended, wait_bucket, run_bucket
),
figure AS (
    SELECT slot_at, task_name, queue_name, name, sum(amount)::bigint AS amount
    FROM shape
    CROSS JOIN LATERAL (
        VALUES
        (ended, runs::numeric),
        ('wait:' || wait_bucket, runs),
        ('run:' || run_bucket, runs),
        ('wait', extract(EPOCH FROM waited) * 1000000),
        ('run', extract(EPOCH FROM lasted) * 1000000)
    ) AS counted (name, amount)
    WHERE amount > 0 AND name IS NOT NULL
    GROUP BY slot_at, task_name, queue_name, name
),
grown AS (
    SELECT
        figure.task_name,
        figure.name,
        sum(greatest(figure.amount - coalesce((known.figures ->> figure.name)::bigint, 0), 0))::bigint AS amount
    FROM figure
    LEFT JOIN procrastinate_tasks_taskrollup AS known USING (slot_at, task_name, queue_name)
    GROUP BY figure.task_name, figure.name
),
known_task AS MATERIALIZED (
    SELECT DISTINCT task_name FROM procrastinate_tasks_tasktotal
),
named AS (
    SELECT
        fresh.task_name,
        CASE
            WHEN known_task.task_name IS NOT NULL THEN fresh.task_name
            WHEN row_number() OVER (PARTITION BY known_task.task_name IS NULL ORDER BY fresh.task_name)
                <= %(most_tasks)s - (SELECT count(*) FROM known_task) THEN fresh.task_name
            ELSE ''
        END AS counted_as
    FROM (SELECT DISTINCT task_name FROM grown) AS fresh
    LEFT JOIN known_task USING (task_name)
),
totals AS (
    INSERT INTO procrastinate_tasks_tasktotal AS known (task_name, figure, total, grown_at)
    SELECT named.counted_as, grown.name, sum(grown.amount), now()
    FROM grown
    JOIN named USING (task_name)
    WHERE grown.amount > 0
    GROUP BY named.counted_as, grown.name
    ORDER BY named.counted_as, grown.name
    ON CONFLICT (task_name, figure) DO UPDATE SET total = known.total + excluded.total, grown_at = excluded.grown_at
),
figures AS (
    SELECT slot_at, task_name, queue_name, jsonb_object_agg(name, amount) AS figures
    FROM figure
    GROUP BY slot_at, task_name, queue_name
),
summed AS (
    SELECT
        slot_at,
        task_name,
        queue_name,
        count(*) FILTER (WHERE ended = 'succeeded') AS succeeded,
        count(*) FILTER (WHERE ended = 'failed') AS failed,
        count(*) FILTER (WHERE ended = 'retried') AS retried,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY waited) AS wait_p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY waited) AS wait_p95,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY lasted) AS run_p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY lasted) AS run_p95
    FROM run
    GROUP BY slot_at, task_name, queue_name
)
INSERT INTO procrastinate_tasks_taskrollup AS known (
    slot_at, task_name, queue_name, succeeded, failed, retried, wait_p50, wait_p95, run_p50, run_p95, figures
)
SELECT
    slot_at, task_name, queue_name, succeeded, failed, retried, wait_p50, wait_p95, run_p50, run_p95, figures.figures
FROM summed
JOIN figures USING (slot_at, task_name, queue_name)
ORDER BY slot_at, task_name, queue_name
ON CONFLICT (slot_at, task_name, queue_name) DO UPDATE
SET
    succeeded = excluded.succeeded,
    failed = excluded.failed,
    retried = excluded.retried,
    wait_p50 = excluded.wait_p50,
    wait_p95 = excluded.wait_p95,
    run_p50 = excluded.run_p50,
    run_p95 = excluded.run_p95,
    figures = excluded.figures
WHERE (known.wait_p50, known.wait_p95, known.run_p50, known.run_p95, known.figures)
    IS DISTINCT FROM (
        excluded.wait_p50, excluded.wait_p95, excluded.run_p50, excluded.run_p95, excluded.figures
    )
