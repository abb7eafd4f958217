-- A payment was taken and its guest was never to be told so, or was told of one that was not taken.
WITH untold AS MATERIALIZED (
    SELECT id, booking_id, kind
    FROM payments_payment payment
    WHERE status = 'paid' AND NOT EXISTS (
        SELECT FROM payments_guestemail email
        WHERE email.payment_id = payment.id AND email.booking_id = payment.booking_id
            AND email.kind IN ('confirmed', 'receipt'))
)
SELECT 'payment', untold.id
FROM untold JOIN bookings_booking booking ON booking.id = untold.booking_id
WHERE untold.kind <> 'deposit' OR (booking.confirmed_at IS NOT NULL AND booking.cancel_requested_at IS NULL)
UNION ALL
SELECT 'email', email.id
FROM payments_guestemail email JOIN payments_payment payment ON payment.id = email.payment_id
WHERE email.kind = 'receipt' AND email.dropped_at IS NULL AND payment.status <> 'paid'
