-- Ends the database sessions of a child that is gone: a query it left behind would run on, and hold its locks.
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE application_name = %(application_name)s
  AND datname = current_database()
  AND pid <> pg_backend_pid()
