-- Hold the round while its findings are written down, unless another process has begun a later one. The server ends a
-- session that falls silent meanwhile: its process is frozen, and the round would be held for as long as that lasts.
WITH patience AS MATERIALIZED (
    SELECT set_config('idle_in_transaction_session_timeout', '5s', true)
)
SELECT round.id FROM procrastinate_tasks_alertround AS round, patience
WHERE round.evaluated_at = %(round_at)s
FOR UPDATE OF round SKIP LOCKED
