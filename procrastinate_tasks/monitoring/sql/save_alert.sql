-- Remember a fault.
INSERT INTO procrastinate_tasks_alertstate (rule, subject, sentence, seen_at, fired_at, calm_since)
VALUES (%(rule)s, %(subject)s, %(sentence)s, %(seen_at)s, %(fired_at)s, %(calm_since)s)
ON CONFLICT (rule, subject) DO UPDATE
SET sentence = excluded.sentence, fired_at = excluded.fired_at, calm_since = excluded.calm_since
