-- The faults that are watched or were told.
SELECT rule, subject, sentence, seen_at, fired_at, calm_since
FROM procrastinate_tasks_alertstate
ORDER BY fired_at, rule, subject
