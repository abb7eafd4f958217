-- Workers as they beat: all but the last are alive, the last has been silent for five minutes.
WITH made AS (
    INSERT INTO procrastinate_workers (last_heartbeat)
    SELECT now() - CASE WHEN number = %(count)s THEN interval '5 minutes' ELSE interval '0' END
    FROM generate_series(1, %(count)s) AS number
    RETURNING id, last_heartbeat
),
described AS (
    INSERT INTO procrastinate_tasks_liveworker (
        worker_id, host, pid, release, queues, tasks, capacity, running, memory_bytes, max_memory_bytes,
        orphaned_after, started_at
    )
    SELECT
        id, format('worker-%%s', row_number() OVER (ORDER BY id)), 4, %(release)s, NULL, %(tasks)s::jsonb, 20, 12,
        (180 + 10 * row_number() OVER (ORDER BY id)) * 1048576, 512 * 1048576::bigint,
        %(orphaned_after)s::interval, last_heartbeat - interval '9 hours'
    FROM made
)
SELECT array_agg(id ORDER BY id) AS ids FROM made
