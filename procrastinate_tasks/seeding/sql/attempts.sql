-- Record the runs of a stretch that retention would have kept until now.
INSERT INTO procrastinate_tasks_jobattempt (
    job_id, attempt, task_name, queue_name, worker_id, host, release, started_at, finished_at, outcome, result,
    exception_class, message, traceback, fingerprint
)
SELECT
    ended.id, ended.run_number, ended.task_name, ended.queue_name, (%(worker_ids)s::bigint[])[1 + ended.id %% 2],
    format('worker-%%s', 1 + ended.id %% 2), ended.release, ended.finished_at - ended.pace * ended.run,
    ended.finished_at, ended.outcome,
    CASE WHEN ended.outcome = 'succeeded' THEN '"ok"'::jsonb END,
    coalesce(fault.exception_class, ''), coalesce(fault.message, ''), coalesce(fault.traceback, ''),
    coalesce(fault.fingerprint, '')
FROM (
    SELECT
        seed_plan.*, run_number,
        created_at + pace * (wait + run + (run_number - 1) * (run + interval '30 seconds')) AS finished_at,
        CASE WHEN run_number < runs OR state = 'retrying' THEN 'retrying' ELSE state END AS outcome
    FROM seed_plan, generate_series(1, runs) AS run_number
    WHERE state NOT IN ('running', 'orphaned')
) AS ended
LEFT JOIN seed_fault AS fault ON fault.n = ended.fault_id AND ended.outcome IN ('failed', 'retrying')
WHERE ended.finished_at > now() - CASE
    WHEN ended.outcome = 'succeeded' THEN %(keep_successes_for)s::interval ELSE %(keep_failures_for)s::interval
END
ORDER BY ended.id, ended.run_number
