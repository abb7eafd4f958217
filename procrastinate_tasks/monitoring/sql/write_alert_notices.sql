-- Write down what is to be told, once for each channel.
INSERT INTO procrastinate_tasks_alertnotice (
    channel, rule, subjects, has_recovered, title, text, created_at, next_try_at, tries, is_sent
)
SELECT
    channel, %(rule)s, %(subjects)s::jsonb, %(has_recovered)s, %(title)s, %(text)s, %(now)s, %(now)s, 0, false
FROM unnest(%(channels)s::text[]) AS channel
