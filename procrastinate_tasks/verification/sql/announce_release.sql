-- Tell the workers that live of a release whose own are still to come, and what it knows.
INSERT INTO procrastinate_tasks_release AS known (name, first_seen_at, tasks)
SELECT %(release)s::text, now(), %(tasks)s::jsonb
WHERE %(release)s::text <> ''
ON CONFLICT (name) DO UPDATE SET tasks = excluded.tasks
