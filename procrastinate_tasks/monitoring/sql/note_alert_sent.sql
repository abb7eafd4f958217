-- A notice was sent.
UPDATE procrastinate_tasks_alertnotice SET is_sent = true WHERE id = %(notice_id)s
