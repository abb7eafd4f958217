-- Let one request with a token go on at a time; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended(%(token)s, 0))::text AS locked
