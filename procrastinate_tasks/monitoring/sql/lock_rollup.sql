-- Lock the roll-up for this transaction, unless another process has it, and tell how far it has come.
SELECT rolled_up_to FROM procrastinate_tasks_rollupprogress FOR UPDATE SKIP LOCKED
