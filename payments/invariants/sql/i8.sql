-- The sums of a booking's account do not follow from its rows; or more is taken than is owed.
WITH posted AS (
    SELECT booking_id,
        sum(amount_minor) FILTER (WHERE debit = 'receivable')
            - coalesce(sum(amount_minor) FILTER (WHERE credit = 'receivable'), 0) AS receivable,
        coalesce(sum(amount_minor) FILTER (WHERE source_type = 'payment_intent'), 0) AS captured,
        coalesce(sum(amount_minor) FILTER (WHERE source_type = 'refund'), 0)
            - coalesce(sum(amount_minor) FILTER (WHERE source_type = 'refund_failure'), 0) AS refunded,
        coalesce(sum(amount_minor) FILTER (WHERE debit = 'disputes'), 0)
            - coalesce(sum(amount_minor) FILTER (WHERE credit = 'disputes'), 0) AS disputed,
        coalesce(sum(amount_minor) FILTER (WHERE debit = 'dispute_losses'), 0)
            - coalesce(sum(amount_minor) FILTER (WHERE credit = 'dispute_losses'), 0) AS lost
    FROM payments_ledgertransfer
    GROUP BY booking_id
), live AS (
    SELECT payment.booking_id, sum(attempt.amount_minor) AS minor
    FROM payments_paymentattempt attempt JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE attempt.state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
    GROUP BY payment.booking_id
), owed_back AS (
    SELECT payment.booking_id, sum(refund.amount_minor) AS minor
    FROM payments_refund refund
    JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE refund.state IN ('requested', 'submitted', 'failed')
    GROUP BY payment.booking_id
)
SELECT 'booking', coalesce(account.booking_id, posted.booking_id)
FROM payments_bookingaccount account
LEFT JOIN live ON live.booking_id = account.booking_id
LEFT JOIN owed_back ON owed_back.booking_id = account.booking_id
FULL JOIN posted ON posted.booking_id = account.booking_id
WHERE account.booking_id IS NULL
    OR account.owed_minor
        <> coalesce(posted.receivable, 0) + coalesce(posted.captured, 0) - coalesce(posted.refunded, 0)
    OR account.in_flight_minor <> coalesce(live.minor, 0)
    OR account.captured_minor <> coalesce(posted.captured, 0)
    OR account.refunding_minor <> coalesce(owed_back.minor, 0)
    OR account.refunded_minor <> coalesce(posted.refunded, 0)
    OR account.disputed_minor <> coalesce(posted.disputed, 0)
    OR account.lost_minor <> coalesce(posted.lost, 0)
    OR account.captured_minor + account.in_flight_minor - account.refunded_minor - account.refunding_minor
        - account.lost_minor > account.owed_minor
