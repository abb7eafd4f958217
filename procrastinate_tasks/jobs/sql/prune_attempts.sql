-- Delete the oldest attempts with one outcome; the index on (outcome, finished_at) finds them.
WITH old AS MATERIALIZED (
    SELECT id
    FROM procrastinate_tasks_jobattempt
    WHERE outcome = %(kind)s
      AND finished_at < coalesce(%(now)s::timestamptz, now()) - %(kept)s::interval
    ORDER BY finished_at
    LIMIT %(batch)s
),
pruned AS (
    DELETE FROM procrastinate_tasks_jobattempt AS attempt
    USING old
    WHERE attempt.id = old.id
    RETURNING 1
)
SELECT count(*) AS pruned FROM pruned
