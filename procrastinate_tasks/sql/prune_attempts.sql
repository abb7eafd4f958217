-- Delete the oldest attempts with one outcome; the index on (outcome, finished_at) finds them.
WITH pruned AS (
    DELETE FROM procrastinate_tasks_jobattempt
    WHERE id IN (
        SELECT id
        FROM procrastinate_tasks_jobattempt
        WHERE outcome = %(kind)s
          AND finished_at < %(before)s
        ORDER BY finished_at
        LIMIT %(batch)s
    )
    RETURNING 1
)
SELECT count(*) AS pruned FROM pruned
