-- Take the next round of looking at the alerts, if the last was long enough ago. Answers nothing if it was not.
INSERT INTO procrastinate_tasks_alertround (id, evaluated_at)
SELECT 1, clock_timestamp()
WHERE NOT EXISTS (
    SELECT FROM procrastinate_tasks_alertround WHERE evaluated_at > clock_timestamp() - %(every)s::interval
)
ON CONFLICT (id) DO UPDATE
SET evaluated_at = clock_timestamp()
WHERE procrastinate_tasks_alertround.evaluated_at <= clock_timestamp() - %(every)s::interval
RETURNING evaluated_at
