-- How far each schedule has come.
SELECT name, known_since::text, last_tick_at, last_deferred_tick_at, last_deferred_at, last_job_id, missed_count
FROM procrastinate_tasks_schedulestate
