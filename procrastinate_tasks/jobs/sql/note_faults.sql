-- Note each fault that is not known yet with its first kept run: those of a window, of a task, or all.
INSERT INTO procrastinate_tasks_fault (
    task_name, fingerprint, exception_class, first_seen_at, first_release, muted_by, mute_reason
)
SELECT DISTINCT ON (task_name, fingerprint, exception_class)
    task_name, fingerprint, exception_class, procrastinate_tasks_readable_v1(finished_at), release, '', ''
FROM procrastinate_tasks_jobattempt
WHERE exception_class > ''
  AND outcome IN ('failed', 'superseded', 'parked', 'retrying', 'crashed')
  AND (%(task)s::text IS NULL OR task_name = %(task)s)
  AND (%(from_at)s::timestamptz IS NULL OR finished_at >= %(from_at)s)
  AND (%(until)s::timestamptz IS NULL OR finished_at < %(until)s)
ORDER BY task_name, fingerprint, exception_class, finished_at
ON CONFLICT (task_name, fingerprint, exception_class) DO NOTHING
