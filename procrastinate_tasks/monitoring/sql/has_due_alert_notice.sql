-- Whether something is to be told and nobody is at it.
SELECT EXISTS (
    SELECT FROM procrastinate_tasks_alertnotice
    WHERE NOT is_sent AND next_try_at <= clock_timestamp() AND tries < %(most_tries)s
) AS due
