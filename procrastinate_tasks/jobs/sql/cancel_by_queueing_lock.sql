-- Cancel the waiting job with this queueing lock; the unique index allows at most one.
UPDATE procrastinate_jobs
SET status = 'cancelled'
WHERE queueing_lock = %(queueing_lock)s
  AND status = 'todo'
RETURNING id
