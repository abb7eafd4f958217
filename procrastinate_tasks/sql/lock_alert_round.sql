-- Hold the round while its findings are written down, unless another process has begun a later one.
SELECT id FROM procrastinate_tasks_alertround WHERE evaluated_at = %(round_at)s FOR UPDATE
