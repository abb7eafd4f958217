-- A difference with Stripe is open for a day; or nothing was compared for 26 hours, though money moved.
SELECT 'break', id::text
FROM payments_reconciliationbreak
WHERE closed_at IS NULL AND found_at < %(now)s - interval '24 hours'
UNION ALL
SELECT 'schedule', state.name
FROM procrastinate_tasks_schedulestate state
WHERE state.name = 'payments.tasks.reconcile_with_stripe' AND state.last_tick_at IS NOT NULL
    AND state.last_deferred_tick_at IS NOT NULL
    AND state.last_deferred_tick_at < %(now)s - interval '26 hours'
