-- How far the queue has come since its tables were made, by their sequences, and what ended in the last five minutes.
-- A rolled-back transaction uses up numbers too: the totals may run a little ahead.
SELECT
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('procrastinate_jobs', 'id')::regclass), 0)
        AS jobs_deferred,
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('procrastinate_tasks_jobattempt', 'id')::regclass), 0)
        AS attempts_recorded,
    (
        SELECT coalesce(jsonb_object_agg(outcome, ended), '{}')
        FROM (
            SELECT outcome, count(*) AS ended
            FROM procrastinate_tasks_jobattempt
            WHERE outcome = ANY(%(outcomes)s::text[]) AND finished_at > now() - interval '5 minutes'
            GROUP BY outcome
        ) AS recent
    )::text AS ended_lately
