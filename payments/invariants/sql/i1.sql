-- What a booking's account took and gave back is not what our attempts and refunds moved; or a settled stay
-- was charged less than it costs. (I8 holds the account against the ledger. What Stripe itself says is compared
-- at night, and by the memory's guard.)
WITH moved AS (
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
FROM payments_bookingaccount account
LEFT JOIN moved ON moved.booking_id = account.booking_id
LEFT JOIN returned ON returned.booking_id = account.booking_id
WHERE account.captured_minor <> coalesce(moved.minor, 0) OR account.refunded_minor <> coalesce(returned.minor, 0)
UNION
SELECT 'booking', booking.id
FROM bookings_booking booking JOIN payments_bookingaccount account ON account.booking_id = booking.id
WHERE booking.status IN ('confirmed', 'completed') AND booking.settled_at IS NOT NULL
    AND account.captured_minor < account.owed_minor
