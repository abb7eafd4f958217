-- Count a try for the oldest notice that is due: until the next one is, it belongs to the process that did so.
-- Notices of which a month has passed go.
WITH due AS (
    SELECT id
    FROM procrastinate_tasks_alertnotice
    WHERE NOT is_sent AND next_try_at <= clock_timestamp() AND tries < %(most_tries)s
    ORDER BY id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
),
pruned AS (
    DELETE FROM procrastinate_tasks_alertnotice
    WHERE created_at < now() - interval '30 days' AND id NOT IN (SELECT id FROM due)
)
UPDATE procrastinate_tasks_alertnotice AS notice
SET tries = notice.tries + 1, next_try_at = clock_timestamp() + %(pause)s::interval
FROM due
WHERE notice.id = due.id
RETURNING
    notice.id, notice.channel, notice.rule, notice.subjects::text, notice.has_recovered, notice.is_silenced,
    notice.title, notice.text, notice.created_at, notice.tries
