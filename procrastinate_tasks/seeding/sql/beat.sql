-- Another beat of the seeded workers, except of those that were lost when they were made.
UPDATE procrastinate_workers AS worker
SET last_heartbeat = now()
FROM procrastinate_tasks_liveworker AS live, procrastinate_tasks_seeded AS note
WHERE worker.id = ANY(note.worker_ids[1:cardinality(note.worker_ids) - 1])
  AND live.worker_id = worker.id
RETURNING worker.id
