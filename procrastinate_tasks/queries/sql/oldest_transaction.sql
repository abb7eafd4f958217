-- The oldest open transaction of this database that keeps dead rows from being cleaned up: each claim walks over them.
-- Of other roles' sessions little can be seen without the right to read all statistics.
SELECT pid, coalesce(application_name, '') AS application, xact_start AS since
FROM pg_stat_activity
WHERE datname = current_database()
  AND coalesce(backend_type, 'client backend') = 'client backend'
  AND pid <> pg_backend_pid()
  AND xact_start IS NOT NULL
  AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
ORDER BY xact_start
LIMIT 1
