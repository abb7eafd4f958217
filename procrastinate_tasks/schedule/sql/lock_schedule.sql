-- Lock a schedule's row, unless another process has it or it is disabled, and tell after which instant its due
-- ticks lie.
SELECT greatest(last_tick_at, (known_since ->> %(definition)s)::timestamptz) AS floor
FROM procrastinate_tasks_schedulestate
WHERE name = %(name)s
  AND disabled_at IS NULL
FOR UPDATE SKIP LOCKED
