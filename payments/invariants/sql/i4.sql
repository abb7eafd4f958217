-- A payment was taken and its guest was never to be told so, or was told of one that was not taken.
SELECT 'payment', payment.id
FROM payments_payment payment JOIN bookings_booking booking ON booking.id = payment.booking_id
WHERE payment.status = 'paid'
    AND (payment.kind <> 'deposit' OR (booking.confirmed_at IS NOT NULL AND booking.cancel_requested_at IS NULL))
    AND NOT EXISTS (
        SELECT FROM payments_guestemail email
        WHERE email.booking_id = payment.booking_id AND email.payment_id = payment.id
            AND email.kind IN ('confirmed', 'receipt'))
UNION ALL
SELECT 'email', email.id
FROM payments_guestemail email JOIN payments_payment payment ON payment.id = email.payment_id
WHERE email.kind = 'receipt' AND email.dropped_at IS NULL AND payment.status <> 'paid'
