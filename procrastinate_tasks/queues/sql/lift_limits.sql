-- Lift the limits that nobody declares any more: no living worker does, and one of the project that did lives without.
-- So neither another project nor an older release takes a limit away, and none falls while its project is being started
-- anew. A worker whose version of this app does not say what it declares may declare anything.
WITH living AS MATERIALIZED (
    SELECT live.project, live.limits
    FROM procrastinate_tasks_liveworker AS live
    JOIN procrastinate_workers AS worker ON worker.id = live.worker_id
    WHERE worker.last_heartbeat >= now() - live.orphaned_after
),
lifted AS (
    UPDATE procrastinate_tasks_queuerule AS rule
    SET rate_limit = NULL, rate_period = NULL, concurrency_limit = NULL, declared_by = '', updated_at = now()
    WHERE NOT limits_by_hand
      AND (rate_limit IS NOT NULL OR concurrency_limit IS NOT NULL)
      AND EXISTS (SELECT FROM living WHERE rule.declared_by IN (living.project, ''))
      AND NOT EXISTS (SELECT FROM living WHERE limits IS NULL OR jsonb_exists(limits, rule.queue_name))
    RETURNING rule.queue_name
)
SELECT count(procrastinate_tasks_wake_workers_v1(queue_name)) FROM lifted
