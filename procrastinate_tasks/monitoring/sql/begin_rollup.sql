-- Make the one row that tells how far the roll-up has come, if there is none.
INSERT INTO procrastinate_tasks_rollupprogress (id) VALUES (1) ON CONFLICT DO NOTHING
