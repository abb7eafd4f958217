-- Decide a stretch of seeded jobs, oldest first: `age` counts back from the newest, 0, and a hash of the job's
-- number and the seed takes the place of luck, so that the same seed makes the same jobs.
CREATE TEMPORARY TABLE seed_plan AS
WITH numbered AS (
    SELECT
        n,
        %(count)s - n AS age,
        (hashint8extended(n, %(seed)s) & 1048575) / 1048576.0::float8 AS luck,
        (hashint8extended(n, %(seed)s + 1) & 1048575) / 1048576.0::float8 AS luck_of_sample,
        (hashint8extended(n, %(seed)s + 2) & 1048575) / 1048576.0::float8 AS luck_of_time,
        (hashint8extended(n, %(seed)s + 3) & 1048575) / 1048576.0::float8 AS luck_of_tries
    FROM generate_series(%(first)s, %(last)s::bigint) AS n
),
judged AS (
    SELECT
        *,
        -- The newer, the closer together: of thirty days, the last hour has one job in thirty.
        now() - interval '15 seconds' - %(span)s::interval * (age / %(count)s::float8) ^ 2 AS created_at,
        CASE
            WHEN age BETWEEN %(recent)s AND %(recent)s + %(running)s - 1 THEN 'running'
            WHEN age BETWEEN %(recent)s + %(running)s AND %(recent)s + %(running)s + %(orphans)s - 1 THEN 'orphaned'
            WHEN age < %(blocked)s THEN 'blocked'
            WHEN age < %(recent)s AND luck < 0.2 THEN 'ready'
            WHEN luck < 0.015 THEN 'scheduled'
            WHEN age < %(count)s / 10 AND luck < 0.020 THEN 'retrying'
            WHEN luck BETWEEN 0.20 AND 0.23 THEN 'failed'
            WHEN luck BETWEEN 0.23 AND 0.236 THEN 'cancelled'
            WHEN luck BETWEEN 0.236 AND 0.238 THEN 'aborted'
            ELSE 'succeeded'
        END AS state
    FROM numbered
),
timed AS (
    SELECT
        *,
        interval '1 second' * (0.05 + 6 * luck_of_time ^ 6) AS wait,
        interval '1 second' * (0.02 + 4 * luck_of_tries ^ 4) AS run,
        CASE
            WHEN state IN ('ready', 'blocked', 'scheduled', 'cancelled') THEN 0
            WHEN state IN ('running', 'orphaned', 'aborted') THEN 1
            WHEN state = 'failed' THEN CASE WHEN luck_of_tries < 0.4 THEN 1 ELSE 4 END
            WHEN state = 'retrying' THEN 1 + floor(3 * luck_of_tries)::integer
            ELSE CASE WHEN luck_of_tries < 0.95 THEN 1 ELSE 2 END
        END AS runs
    FROM judged
)
SELECT
    nextval(pg_get_serial_sequence('procrastinate_jobs', 'id')) AS id,
    timed.*,
    sample.task_name, sample.queue_name, sample.priority, sample.args,
    sample.fault_ids[1 + floor(cardinality(sample.fault_ids) * luck_of_time ^ 2)::integer] AS fault_id,
    %(release)s AS release,
    CASE
        WHEN state = 'running' THEN (%(worker_ids)s::bigint[])[1 + timed.n %% (cardinality(%(worker_ids)s::bigint[]) - 1)]
        WHEN state = 'orphaned' THEN (%(worker_ids)s::bigint[])[cardinality(%(worker_ids)s::bigint[])]
    END AS worker_id,
    CASE
        WHEN state = 'running' THEN format('seeded:running:%%s:%%s', %(stamp)s::text, age - %(recent)s)
        WHEN state = 'blocked' THEN format('seeded:running:%%s:%%s', %(stamp)s::text, age)
        WHEN state <> 'orphaned' AND ((timed.n / %(locks)s) + timed.n) %% 2 = 0 THEN format('seeded:%%s', timed.n %% %(locks)s)
    END AS lock,
    CASE
        WHEN state = 'scheduled' THEN now() + interval '30 days' * luck_of_time
        WHEN state = 'retrying' THEN now() + interval '10 minutes' * (0.05 + luck_of_time)
    END AS scheduled_at,
    -- The newest jobs have not had the time that they were given.
    least(1, extract(EPOCH FROM now() - created_at) / (
        1 + extract(EPOCH FROM wait + runs * run + greatest(runs - 1, 0) * interval '30 seconds')
    ))::float8 AS pace
FROM timed
JOIN seed_sample AS sample ON sample.n = 1 + floor(%(samples)s * luck_of_sample)::integer
ORDER BY timed.n
