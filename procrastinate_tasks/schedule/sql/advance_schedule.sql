-- Record the ticks of a schedule that were deferred or missed.
UPDATE procrastinate_tasks_schedulestate
SET
    last_tick_at = %(last_tick_at)s,
    last_deferred_tick_at = coalesce(%(deferred_tick_at)s, last_deferred_tick_at),
    last_deferred_at = CASE
        WHEN %(deferred_tick_at)s::timestamptz IS NULL THEN last_deferred_at ELSE %(deferred_at)s
    END,
    last_job_id = coalesce(%(last_job_id)s, last_job_id),
    missed_count = missed_count + %(missed)s
WHERE name = %(name)s
