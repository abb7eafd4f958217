-- What a booking's account took and gave back is not what our attempts and refunds moved; or a settled stay
-- was charged less than it costs. (I8 holds the account against the ledger. What Stripe itself says is compared
-- at night, and by the memory's guard. The accounts are compared one by one only where one number that is made
-- of all differs from the one of all payments, which I3 holds against their attempts.)
WITH sides AS MATERIALIZED (
    SELECT (SELECT sum((hashint8extended(booking_id, 1) & 1073741823 | 1) * captured_minor)
            FROM payments_bookingaccount)
        IS DISTINCT FROM (SELECT sum((hashint8extended(booking_id, 1) & 1073741823 | 1) * amount_minor)
            FROM payments_payment WHERE status = 'paid') AS differ
), moved AS (
    SELECT payment.booking_id, sum(attempt.amount_minor) AS minor
    FROM payments_paymentattempt attempt JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE attempt.state = 'succeeded'
    GROUP BY payment.booking_id
), returned AS (
    SELECT payment.booking_id, sum(refund.amount_minor) AS minor
    FROM payments_refund refund
    JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE refund.state = 'succeeded'
    GROUP BY payment.booking_id
)
SELECT 'booking', account.booking_id
FROM payments_bookingaccount account LEFT JOIN moved ON moved.booking_id = account.booking_id
WHERE (SELECT differ FROM sides) AND account.captured_minor <> coalesce(moved.minor, 0)
UNION
SELECT 'booking', coalesce(account.booking_id, returned.booking_id)
FROM (SELECT booking_id, refunded_minor FROM payments_bookingaccount WHERE refunded_minor <> 0) account
FULL JOIN returned ON returned.booking_id = account.booking_id
WHERE account.refunded_minor IS DISTINCT FROM returned.minor
UNION
SELECT 'booking', account.booking_id
FROM payments_bookingaccount account
WHERE account.captured_minor < account.owed_minor AND (
    SELECT booking.status IN ('confirmed', 'completed') AND booking.settled_at IS NOT NULL
    FROM bookings_booking booking WHERE booking.id = account.booking_id)
