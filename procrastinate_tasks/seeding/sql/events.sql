-- Write what happened to the jobs of a stretch, each job's events in their order.
INSERT INTO procrastinate_events (job_id, type, at)
SELECT id, type::procrastinate_job_event_type, at
FROM (
    SELECT id, 0 AS place, 'deferred' AS type, created_at AS at FROM seed_plan
    UNION ALL
    SELECT id, 1, 'scheduled', scheduled_at FROM seed_plan WHERE state = 'scheduled'
    UNION ALL
    SELECT id, 1, 'cancelled', created_at + pace * wait FROM seed_plan WHERE state = 'cancelled'
    UNION ALL
    SELECT id, 2 * run_number, 'started',
        created_at + pace * (wait + (run_number - 1) * (run + interval '30 seconds'))
    FROM seed_plan, generate_series(1, runs) AS run_number
    UNION ALL
    SELECT id, 2.5, 'abort_requested', created_at + pace * (wait + run / 2) FROM seed_plan WHERE state = 'aborted'
    UNION ALL
    SELECT
        id, 2 * run_number + 1,
        CASE WHEN run_number < runs OR state = 'retrying' THEN 'deferred_for_retry' ELSE state END,
        created_at + pace * (wait + run + (run_number - 1) * (run + interval '30 seconds'))
    FROM seed_plan, generate_series(1, runs) AS run_number
    WHERE state NOT IN ('running', 'orphaned')
    UNION ALL
    SELECT id, 99, 'scheduled', scheduled_at FROM seed_plan WHERE state = 'retrying'
) AS event
ORDER BY id, place
