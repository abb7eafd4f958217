-- Write down what became of some jobs of a bulk operation, and count it.
WITH done AS (
    UPDATE procrastinate_tasks_bulkitem AS item
    SET outcome = told.outcome, refusal = told.refusal, detail = told.detail::jsonb, done_at = statement_timestamp()
    FROM unnest(
        %(job_ids)s::bigint[], %(outcomes)s::text[], %(refusals)s::text[], %(details)s::text[]
    ) AS told (job_id, outcome, refusal, detail)
    WHERE item.operation_id = %(operation_id)s
      AND item.job_id = told.job_id
      AND item.outcome = ''
    RETURNING item.outcome
)
UPDATE procrastinate_tasks_bulkoperation
SET
    applied = applied + (SELECT count(*) FROM done WHERE outcome = 'applied'),
    refused = refused + (SELECT count(*) FROM done WHERE outcome = 'refused'),
    failed = failed + (SELECT count(*) FROM done WHERE outcome = 'failed'),
    last_batch_at = statement_timestamp()
WHERE id = %(operation_id)s
