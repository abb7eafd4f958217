-- A paid payment without one attempt that took just that; an attempt that took money without its payment
-- being paid, or without one transfer of the same sum; a transfer of money that no attempt took.
WITH won AS NOT MATERIALIZED (
    SELECT attempt.id, attempt.payment_id, attempt.amount_minor, attempt.currency, attempt.stripe_intent_id
    FROM payments_paymentattempt attempt
    WHERE attempt.state = 'succeeded'
), captures AS NOT MATERIALIZED (
    SELECT transfer.id, transfer.booking_id, transfer.source_id, transfer.amount_minor, transfer.currency
    FROM payments_ledgertransfer transfer
    WHERE transfer.source_type = 'payment_intent' AND transfer.debit = 'stripe' AND transfer.credit = 'receivable'
)
SELECT CASE WHEN won.id IS NULL THEN 'payment' ELSE 'attempt' END, coalesce(won.id, payment.id)
FROM payments_payment payment FULL JOIN won ON won.payment_id = payment.id
WHERE (payment.status = 'paid' AND won.id IS NULL)
    OR (won.id IS NOT NULL AND (payment.status <> 'paid' OR payment.amount_minor <> won.amount_minor
        OR payment.currency <> won.currency))
UNION ALL
SELECT CASE WHEN won.id IS NULL THEN 'transfer' ELSE 'attempt' END, coalesce(won.id, captures.id)
FROM won FULL JOIN captures ON captures.source_id = won.stripe_intent_id
WHERE won.id IS NULL OR captures.id IS NULL OR captures.amount_minor <> won.amount_minor
    OR captures.currency <> won.currency
