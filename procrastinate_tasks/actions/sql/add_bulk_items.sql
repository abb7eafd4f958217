-- Write down the jobs of a bulk operation, each once, and how many they are.
WITH added AS (
    INSERT INTO procrastinate_tasks_bulkitem (operation_id, job_id, outcome, refusal, detail)
    SELECT %(operation_id)s, job_id, '', '', '{}'
    FROM unnest(%(job_ids)s::bigint[]) WITH ORDINALITY AS wanted (job_id, place)
    ORDER BY place
    ON CONFLICT DO NOTHING
    RETURNING id
)
UPDATE procrastinate_tasks_bulkoperation
SET requested = (SELECT count(*) FROM added)
WHERE id = %(operation_id)s
RETURNING requested
