-- Note which jobs were made in this transaction.
INSERT INTO procrastinate_tasks_seeded (first_job_id, last_job_id)
SELECT min(id), max(id) FROM seed_plan
