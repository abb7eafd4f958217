-- The registered workers, whether each still sends heartbeats, and how many jobs it runs.
SELECT
    worker.id,
    worker.last_heartbeat,
    worker.last_heartbeat >= now() - %(orphaned_after)s::interval AS is_alive,
    (SELECT count(*) FROM procrastinate_jobs AS job WHERE job.worker_id = worker.id AND job.status = 'doing') AS running
FROM procrastinate_workers AS worker
ORDER BY worker.id
