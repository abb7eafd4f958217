-- Disable a schedule; one that is disabled stays so by whom and since when it was. Answers whether this was news.
WITH disabled AS (
    INSERT INTO procrastinate_tasks_schedulestate AS state (
        name, known_since, missed_count, disabled_at, disabled_by, disable_reason
    )
    VALUES (%(schedule_name)s, '{}', 0, now(), %(by)s, %(reason)s)
    ON CONFLICT (name) DO UPDATE
    SET
        disabled_at = excluded.disabled_at,
        disabled_by = excluded.disabled_by,
        disable_reason = excluded.disable_reason
    WHERE state.disabled_at IS NULL
    RETURNING name
)
SELECT count(*) = 1 AS changed
FROM disabled
