-- A refund that was paid is not posted once, or one was posted that was not paid; more went back than came.
WITH posted AS (
    SELECT id, source_id, booking_id, amount_minor,
        EXISTS (
            SELECT FROM payments_ledgertransfer back
            WHERE back.source_type = 'refund_failure' AND back.source_id = transfer.source_id) AS came_back
    FROM payments_ledgertransfer transfer
    WHERE source_type = 'refund'
)
SELECT CASE WHEN refund.id IS NULL THEN 'transfer' ELSE 'refund' END, coalesce(refund.id, posted.id)
FROM (SELECT * FROM payments_refund WHERE stripe_refund_id IS NOT NULL) refund
FULL JOIN posted ON posted.source_id = refund.stripe_refund_id
WHERE refund.id IS NULL
    OR (refund.state = 'succeeded') <> (posted.id IS NOT NULL AND NOT posted.came_back)
    OR posted.amount_minor <> refund.amount_minor
UNION ALL
SELECT 'booking', booking_id FROM payments_bookingaccount WHERE refunded_minor > captured_minor
