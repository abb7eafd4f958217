-- A part of other statements: whether a due job waits for another with its lock, as the claim has it.
    (
        job.lock IS NOT NULL
        AND EXISTS (
            SELECT FROM procrastinate_jobs AS other
            WHERE other.lock = job.lock
              AND other.id <> job.id
              AND other.status IN ('todo', 'doing')
              AND (
                  other.status = 'doing'
                  OR (
                      (other.scheduled_at IS NULL OR other.scheduled_at <= now())
                      AND (other.priority, -other.id) > (job.priority, -job.id)
                  )
              )
        )
    )
