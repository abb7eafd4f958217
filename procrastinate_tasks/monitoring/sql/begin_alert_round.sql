-- Take the next round of looking at the alerts, if the last was long enough ago. Answers nothing if it was not, or
-- while somebody writes that one's findings: who waited for a process that is frozen would rescue nobody's jobs.
WITH free AS MATERIALIZED (
    SELECT id FROM procrastinate_tasks_alertround
    WHERE evaluated_at <= clock_timestamp() - %(every)s::interval
    FOR UPDATE SKIP LOCKED
),
later AS (
    UPDATE procrastinate_tasks_alertround AS round SET evaluated_at = clock_timestamp()
    FROM free
    WHERE round.id = free.id
    RETURNING round.evaluated_at
),
first AS (
    INSERT INTO procrastinate_tasks_alertround (id, evaluated_at)
    SELECT 1, clock_timestamp() WHERE NOT EXISTS (SELECT FROM procrastinate_tasks_alertround)
    ON CONFLICT (id) DO NOTHING
    RETURNING evaluated_at
)
SELECT evaluated_at FROM later
UNION ALL
SELECT evaluated_at FROM first
