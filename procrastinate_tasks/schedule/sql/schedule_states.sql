-- How far each schedule has come, and whether somebody disabled it.
SELECT
    name, known_since::text, last_tick_at, last_deferred_tick_at, last_deferred_at, last_job_id, missed_count,
    disabled_at, disabled_by, disable_reason
FROM procrastinate_tasks_schedulestate
