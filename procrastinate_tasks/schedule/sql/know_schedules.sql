-- Remember since when each schedule has its present definition (cron and zone), and tell after which instant its
-- due ticks lie: its last tick, under whatever definition, or the moment the present one was first seen. A disabled
-- schedule is left out of the answer.
WITH declared AS MATERIALIZED (
    SELECT * FROM unnest(%(names)s::text[], %(definitions)s::text[]) AS schedule (name, definition)
),
known AS (
    SELECT declared.name, declared.definition, state.last_tick_at, state.disabled_at,
        (state.known_since ->> declared.definition)::timestamptz AS since
    FROM declared
    LEFT JOIN procrastinate_tasks_schedulestate AS state USING (name)
),
inserted AS (
    INSERT INTO procrastinate_tasks_schedulestate (name, known_since, missed_count)
    SELECT name, jsonb_build_object(definition, %(now)s::timestamptz), 0
    FROM known
    WHERE since IS NULL
    ON CONFLICT (name) DO UPDATE
    SET known_since = excluded.known_since || procrastinate_tasks_schedulestate.known_since
)
SELECT name, greatest(last_tick_at, coalesce(since, %(now)s)) AS floor
FROM known
WHERE disabled_at IS NULL
