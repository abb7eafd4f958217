-- A part of other statements: what of a filter only a look at each job can tell.
    (%(lock)s::text IS NULL OR job.lock = %(lock)s OR job.queueing_lock = %(lock)s)
    AND (%(attempts)s::integer IS NULL OR job.attempts >= %(attempts)s)
