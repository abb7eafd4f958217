-- Lock jobs, so that what is decided about them holds until the end of the transaction.
SELECT id FROM procrastinate_jobs WHERE id = ANY(%(job_ids)s::bigint[]) ORDER BY id FOR UPDATE
