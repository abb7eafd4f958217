-- A part of other statements: the jobs a filter lets through, by what an index can tell.
    (%(task)s::text IS NULL OR job.task_name = %(task)s)
    AND (%(tasks)s::text[] IS NULL OR job.task_name = ANY(%(tasks)s::text[]))
    AND (%(queue)s::text IS NULL OR job.queue_name = %(queue)s)
    AND (%(since_id)s::bigint IS NULL OR job.id >= %(since_id)s)
    AND (%(until_id)s::bigint IS NULL OR job.id < %(until_id)s)
    AND (
        %(ids)s::bigint[] IS NULL
        OR job.id = ANY(%(ids)s::bigint[])
        OR (%(argument_1)s::text IS NOT NULL AND job.args ->> %(argument_1)s = ANY(%(values_1)s::text[]))
        OR (%(argument_2)s::text IS NOT NULL AND job.args ->> %(argument_2)s = ANY(%(values_2)s::text[]))
        OR (%(argument_3)s::text IS NOT NULL AND job.args ->> %(argument_3)s = ANY(%(values_3)s::text[]))
    )
    AND (
        %(fingerprint)s::text IS NULL
        OR job.id IN (
            SELECT run.job_id FROM procrastinate_tasks_jobattempt AS run
            WHERE run.exception_class > ''
              AND run.fingerprint = %(fingerprint)s
              AND (%(exception_class)s::text IS NULL OR run.exception_class = %(exception_class)s)
              AND (%(task)s::text IS NULL OR run.task_name = %(task)s)
        )
    )
    AND (
        NOT %(by_end)s
        OR job.id IN (
            SELECT ending.job_id FROM procrastinate_events AS ending
            WHERE ending.type IN ({ends})
              AND ending.at > coalesce(%(ended_from)s::timestamptz, now() - %(ended_within)s::interval, '-infinity')
              AND ending.at <= coalesce(%(ended_to)s::timestamptz, 'infinity')
              AND NOT EXISTS (
                  SELECT FROM procrastinate_events AS later
                  WHERE later.job_id = ending.job_id
                    AND later.id > ending.id
                    AND later.type IN ('succeeded', 'failed', 'cancelled', 'aborted')
              )
        )
    )
    AND (
        %(error)s::text IS NULL
        OR job.id IN (
            SELECT run.job_id FROM procrastinate_tasks_jobattempt AS run
            WHERE run.exception_class > ''
              AND strpos(lower(run.exception_class || ': ' || run.message), lower(%(error)s)) > 0
        )
    )
