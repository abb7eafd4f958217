-- Forget a fault that has passed.
DELETE FROM procrastinate_tasks_alertstate WHERE rule = %(rule)s AND subject = %(subject)s
