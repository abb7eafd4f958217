-- Beats, and learns on the way whether this worker is still registered and what the database thinks it runs.
-- It tells how long the oldest end waits to be recorded, and for how long its claims fail; NULL when all is well.
WITH beat AS (
    UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() WHERE id = %(worker_id)s RETURNING id
),
report AS (
    UPDATE procrastinate_tasks_liveworker
    SET
        running = %(running)s,
        memory_bytes = %(memory_bytes)s,
        refusal = %(refusal)s,
        unrecorded = %(unrecorded)s,
        unrecorded_since = clock_timestamp() - make_interval(secs => %(unrecorded_seconds)s),
        claims_fail_since = clock_timestamp() - make_interval(secs => %(claims_fail_seconds)s),
        -- As the beat arrives: whoever waits for a row has not got a wrong clock.
        clock_skew = to_timestamp(%(host_time)s) - statement_timestamp()
    WHERE worker_id = %(worker_id)s
),
held AS (
    SELECT id, attempts, abort_requested FROM procrastinate_jobs
    WHERE status = 'doing' AND worker_id = %(worker_id)s
)
SELECT
    EXISTS (SELECT FROM beat),
    (SELECT coalesce(array_agg(id), '{}') FROM held WHERE abort_requested),
    (SELECT coalesce(json_object_agg(id, attempts), '{}') FROM held),
    (
        SELECT coalesce(array_agg(asked.job_id), '{}')
        FROM procrastinate_tasks_jobstack AS asked
        JOIN held ON held.id = asked.job_id
        WHERE asked.answered_at IS NULL AND asked.asked_at > clock_timestamp() - interval '1 minute'
    )
