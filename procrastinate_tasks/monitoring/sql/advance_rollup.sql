-- Remember how far the roll-up has come.
UPDATE procrastinate_tasks_rollupprogress SET rolled_up_to = %(rolled_up_to)s
