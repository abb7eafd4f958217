-- How far a page of jobs has looked: the window of `list_jobs`, without what only a look at each job tells.
SELECT count(*) AS jobs, min(id) AS oldest_id
FROM (
    SELECT job.id
    FROM procrastinate_jobs AS job
    WHERE {in_group}
      AND (%(before)s::bigint IS NULL OR job.id < %(before)s)
      AND (%(after)s::bigint IS NULL OR job.id > %(after)s)
      AND
{filtered}
    ORDER BY {order}
    LIMIT %(window)s
) AS job
