-- Defer a tick of a task of Procrastinate's own @app.periodic as its worker does: whoever comes second, that worker or
-- one of ours, gets no job.
SELECT procrastinate_defer_periodic_job_v2(
    %(queue)s::varchar, %(lock)s::varchar, %(queueing_lock)s::varchar, %(task_name)s::varchar, %(priority)s::integer,
    %(periodic_id)s::varchar, %(timestamp)s::bigint, %(args)s::jsonb
) AS job_id
