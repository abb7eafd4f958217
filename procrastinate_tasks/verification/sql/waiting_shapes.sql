-- The waiting jobs by task and by the names of their arguments, or of Django's task, path and arguments: what a signature
-- can refuse. No value of an argument leaves the database.
SELECT
    task_name,
    CASE WHEN jsonb_typeof(args) = 'object' THEN ARRAY(SELECT key FROM jsonb_object_keys(args) AS key ORDER BY key) END
        AS names,
    CASE WHEN task_name = ANY(%(runner_names)s::text[]) THEN args ->> 'django_task' END AS path,
    CASE
        WHEN task_name = ANY(%(runner_names)s::text[]) AND jsonb_typeof(args -> 'args') = 'array'
        THEN jsonb_array_length(args -> 'args')
    END AS positional,
    CASE
        WHEN task_name = ANY(%(runner_names)s::text[]) AND jsonb_typeof(args -> 'kwargs') = 'object'
        THEN ARRAY(SELECT key FROM jsonb_object_keys(args -> 'kwargs') AS key ORDER BY key)
    END AS keywords,
    count(*) AS jobs
FROM procrastinate_jobs
WHERE status = 'todo'
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
