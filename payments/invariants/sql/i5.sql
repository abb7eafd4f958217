-- Something at Stripe may take money, or took it, and nobody has explained it for ten minutes.
SELECT 'break', id
FROM payments_reconciliationbreak
WHERE kind = 'foreign_charge' AND closed_at IS NULL AND found_at < %(now)s - interval '10 minutes'
