-- Lock a schedule's row, unless another process has it, and tell after which instant its due ticks lie.
SELECT greatest(last_tick_at, (known_since ->> %(definition)s)::timestamptz) AS floor
FROM procrastinate_tasks_schedulestate
WHERE name = %(name)s
FOR UPDATE SKIP LOCKED
