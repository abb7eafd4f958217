-- What the dashboard tells beside the snapshot: how far the roll-up has come, the newest release, those of the last 24
-- hours, the alerts that were told, and the faults that the newest release brought.
WITH newest_release AS (
    SELECT name, first_seen_at FROM procrastinate_tasks_release ORDER BY first_seen_at DESC, name DESC LIMIT 1
)
SELECT
    progress.rolled_up_to,
    newest_release.name AS release,
    newest_release.first_seen_at AS release_since,
    (
        SELECT coalesce(jsonb_object_agg(name, first_seen_at), '{}')
        FROM procrastinate_tasks_release
        WHERE first_seen_at > progress.rolled_up_to - interval '24 hours'
    )::text AS releases_of_day,
    (
        SELECT coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'rule', rule, 'subject', subject, 'sentence', sentence, 'sentences', sentences,
                    'told_at', fired_at, 'seen_at', seen_at,
                    'is_silenced', silenced_at IS NOT NULL AND (silenced_until IS NULL OR silenced_until > now()),
                    'silenced_by', silenced_by, 'silence_note', silence_note, 'silenced_until', silenced_until
                )
                ORDER BY fired_at, rule, subject
            ),
            '[]'
        )
        FROM procrastinate_tasks_alertstate
        WHERE fired_at IS NOT NULL
    )::text AS alerts,
    (
        SELECT coalesce(jsonb_agg(new_fault ORDER BY jobs DESC), '[]')
        FROM ({new_faults}) AS new_fault
    )::text AS new_faults
FROM (SELECT max(rolled_up_to) AS rolled_up_to FROM procrastinate_tasks_rollupprogress) AS progress
LEFT JOIN newest_release ON true
