-- Enable a disabled schedule from now on: the ticks that passed meanwhile are no missed ones. Answers whether it
-- was disabled.
WITH enabled AS (
    UPDATE procrastinate_tasks_schedulestate
    SET
        disabled_at = NULL,
        disabled_by = '',
        disable_reason = '',
        last_tick_at = greatest(last_tick_at, clock_timestamp())
    WHERE name = %(schedule_name)s
      AND disabled_at IS NOT NULL
    RETURNING name
)
SELECT count(*) = 1 AS changed
FROM enabled
