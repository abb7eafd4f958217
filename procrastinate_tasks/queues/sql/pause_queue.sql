-- Pause a queue; one that is paused stays paused by whom and since when it was. Answers whether this was news.
WITH paused AS (
    INSERT INTO procrastinate_tasks_queuerule AS rule (
        queue_name, paused_at, paused_by, pause_reason, limits_by_hand, recent_starts, updated_at
    )
    VALUES (%(queue)s, now(), %(by)s, %(reason)s, false, '{}', now())
    ON CONFLICT (queue_name) DO UPDATE
    SET
        paused_at = excluded.paused_at,
        paused_by = excluded.paused_by,
        pause_reason = excluded.pause_reason,
        updated_at = now()
    WHERE rule.paused_at IS NULL
    RETURNING queue_name
)
SELECT count(*) = 1 AS changed
FROM paused
