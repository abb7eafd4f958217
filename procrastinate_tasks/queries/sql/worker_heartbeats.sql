-- The registered workers, whether each still sends heartbeats, how many jobs it runs, and what it says about itself.
SELECT
    worker.id,
    worker.last_heartbeat,
    now() - procrastinate_tasks_readable_v1(worker.last_heartbeat) AS heartbeat_age,
    coalesce(live.orphaned_after, %(orphaned_after)s::interval) AS orphaned_after,
    {{is_alive}} AS is_alive,
    (SELECT count(*) FROM procrastinate_jobs AS job WHERE job.worker_id = worker.id AND job.status = 'doing') AS running,
    coalesce(live.host, '') AS host,
    live.pid,
    coalesce(live.release, '') AS release,
    coalesce(live.project, '') AS project,
    live.queues::text AS queues,
    live.capacity,
    live.memory_bytes,
    coalesce(live.unrecorded, 0) AS unrecorded,
    now() - live.unrecorded_since AS unrecorded_for,
    now() - live.claims_fail_since AS claims_fail_for,
    live.max_memory_bytes,
    live.started_at,
    coalesce(live.refusal, '') AS refusal,
    live.clock_skew
FROM procrastinate_workers AS worker
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = worker.id
ORDER BY worker.id
