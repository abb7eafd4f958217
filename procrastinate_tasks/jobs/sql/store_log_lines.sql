-- Store the last log lines of runs; of a job that is gone nothing, of one with many runs those of the latest.
WITH said AS MATERIALIZED (
    SELECT job.id AS job_id, said.run, said.attempt, said.lines::jsonb AS lines, said.left_out
    FROM unnest(
        %(job_ids)s::bigint[], %(runs)s::bigint[], %(attempts)s::bigint[], %(lines)s::text[], %(left_out)s::bigint[]
    ) AS said (job_id, run, attempt, lines, left_out)
    JOIN procrastinate_jobs AS job ON job.id = said.job_id
    ORDER BY job.id, said.run
    FOR KEY SHARE OF job
),
pruned AS (
    DELETE FROM procrastinate_tasks_joblog AS log
    USING said
    WHERE log.job_id = said.job_id
      AND log.id <= (
          SELECT known.id FROM procrastinate_tasks_joblog AS known
          WHERE known.job_id = said.job_id AND known.run <> said.run
          ORDER BY known.id DESC
          OFFSET %(most_runs)s - 1
          LIMIT 1
      )
      AND log.run <> said.run
)
INSERT INTO procrastinate_tasks_joblog AS known (job_id, run, attempt, lines, left_out, at)
SELECT job_id, run, least(greatest(attempt, 1), 2147483647), lines, left_out, now() FROM said
ON CONFLICT (job_id, run) DO UPDATE
    SET lines = excluded.lines, left_out = excluded.left_out, at = excluded.at
