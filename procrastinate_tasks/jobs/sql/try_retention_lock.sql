-- Let one process prune at a time, for this transaction.
SELECT pg_try_advisory_xact_lock(hashtextextended('procrastinate_tasks.retention', 0)) AS taken
