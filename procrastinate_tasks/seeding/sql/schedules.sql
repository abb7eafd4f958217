-- Give each schedule that has none a past: its last tick, and the latest seeded job of its task.
WITH made AS (
    INSERT INTO procrastinate_tasks_schedulestate (
        name, known_since, last_tick_at, last_deferred_tick_at, last_deferred_at, last_job_id, missed_count
    )
    SELECT
        schedule.name, jsonb_build_object(schedule.definition, now() - %(span)s::interval),
        schedule.ticked_at, schedule.ticked_at, schedule.ticked_at + interval '0.4 seconds',
        (
            SELECT max(id) FROM procrastinate_jobs
            WHERE task_name = schedule.task_name AND id >= (SELECT min(first_job_id) FROM procrastinate_tasks_seeded)
        ),
        length(schedule.name) %% 3
    FROM unnest(%(names)s::text[], %(tasks)s::text[], %(definitions)s::text[], %(ticked_ats)s::timestamptz[])
        AS schedule (name, task_name, definition, ticked_at)
    ON CONFLICT (name) DO NOTHING
    RETURNING name
)
SELECT coalesce(array_agg(name), '{}') AS names FROM made
