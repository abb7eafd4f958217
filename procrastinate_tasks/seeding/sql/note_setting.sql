-- Note the rest of what was made; it names no job.
INSERT INTO procrastinate_tasks_seeded (first_job_id, last_job_id, worker_ids, schedule_names, paused_queues)
VALUES (0, -1, %(worker_ids)s, %(schedule_names)s, %(queues)s)
