-- Delete the jobs that ended longest ago in one state; our index on events of that type finds them.
-- A job that was retried and ended again counts from its latest end.
WITH old AS MATERIALIZED (
    SELECT job.id
    FROM procrastinate_events AS event
    JOIN procrastinate_jobs AS job ON job.id = event.job_id
    WHERE event.type = %(kind)s::procrastinate_job_event_type
      AND event.type IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND event.at < coalesce(%(now)s::timestamptz, now()) - %(kept)s::interval
      AND job.status = event.type::text::procrastinate_job_status
      AND NOT EXISTS (
          SELECT 1
          FROM procrastinate_events AS later
          WHERE later.job_id = job.id
            AND later.id > event.id
            AND later.type <> 'scheduled'
      )
    ORDER BY event.at
    LIMIT %(batch)s
    FOR UPDATE OF job SKIP LOCKED
),
pruned AS (
    DELETE FROM procrastinate_jobs AS job
    USING old
    WHERE job.id = old.id
    RETURNING 1
)
SELECT count(*) AS pruned FROM pruned
