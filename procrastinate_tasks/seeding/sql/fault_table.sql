-- What seeded attempts fail with.
CREATE TEMPORARY TABLE seed_fault (
    n integer PRIMARY KEY,
    exception_class text NOT NULL,
    message text NOT NULL,
    traceback text NOT NULL,
    fingerprint text NOT NULL
) ON COMMIT PRESERVE ROWS
