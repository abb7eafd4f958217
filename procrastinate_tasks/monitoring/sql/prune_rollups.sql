-- Delete the oldest slots, at most one batch of them.
WITH old AS MATERIALIZED (
    SELECT id
    FROM procrastinate_tasks_taskrollup
    WHERE slot_at < %(before)s
    ORDER BY slot_at
    LIMIT %(batch)s
),
pruned AS (
    DELETE FROM procrastinate_tasks_taskrollup AS slot
    USING old
    WHERE slot.id = old.id
    RETURNING 1
)
SELECT count(*) AS pruned FROM pruned
