-- Remember when a worker of each release was first seen; later workers of it change nothing.
INSERT INTO procrastinate_tasks_release (name, first_seen_at)
SELECT release, min(started_at)
FROM procrastinate_tasks_liveworker
WHERE release <> ''
GROUP BY release
ON CONFLICT (name) DO NOTHING
