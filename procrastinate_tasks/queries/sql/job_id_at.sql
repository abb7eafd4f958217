-- The first job that was deferred at a moment, or so long ago, or later. Ids grow with time, so halving the range finds
-- it in some twenty steps by two indexes; a job whose events are gone counts as older.
WITH RECURSIVE step (low, high) AS (
    SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM procrastinate_jobs
    UNION ALL
    SELECT
        CASE WHEN probe.at >= coalesce(%(moment)s::timestamptz, now() - %(ago)s::interval) THEN low ELSE probe.id + 1 END,
        CASE WHEN probe.at >= coalesce(%(moment)s::timestamptz, now() - %(ago)s::interval) THEN (low + high) / 2 ELSE high END
    FROM step
    CROSS JOIN LATERAL (
        SELECT
            job.id,
            coalesce((SELECT min(at) FROM procrastinate_events WHERE job_id = job.id), '-infinity') AS at
        FROM procrastinate_jobs AS job
        WHERE job.id >= (low + high) / 2
        ORDER BY job.id
        LIMIT 1
    ) AS probe
    WHERE low < high
)
SELECT low AS job_id
FROM step
WHERE low >= high
