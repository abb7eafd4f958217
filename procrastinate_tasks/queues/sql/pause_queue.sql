-- Pause a queue; one that is paused stays paused by whom and since when it was. Answers whether this was news.
WITH paused AS (
    INSERT INTO procrastinate_tasks_queuerule AS rule (
        queue_name, paused_at, paused_by, pause_reason, paused_until, limits_by_hand, recent_starts, updated_at
    )
    VALUES (%(name)s, now(), %(by)s, %(reason)s, %(until)s, false, '{}', now())
    ON CONFLICT (queue_name) DO UPDATE
    SET
        paused_at = excluded.paused_at,
        paused_by = excluded.paused_by,
        pause_reason = excluded.pause_reason,
        paused_until = excluded.paused_until,
        updated_at = now()
    WHERE rule.paused_at IS NULL
    RETURNING queue_name
)
SELECT count(*) = 1 AS changed
FROM paused
