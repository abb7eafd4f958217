-- Give up after a while, in this transaction, when somebody else holds a lock.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true) AS lock_timeout
