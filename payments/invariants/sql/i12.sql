-- Of a cancelled booking the house neither keeps nor bills just what the rules let it; what was waived is
-- credited in the ledger. What a bank took back for good may be what the guest was owed; what somebody refunded
-- at Stripe afterwards is owed again: it stands in the list of debts until staff waive it.
SELECT 'booking', booking.id
FROM bookings_booking booking
JOIN payments_bookingaccount account ON account.booking_id = booking.id
JOIN bookings_quote quote ON quote.id = booking.quote_id
LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0) AS minor
    FROM payments_payment payment
    WHERE payment.booking_id = booking.id AND payment.status NOT IN ('paid', 'void')
) unpaid ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(kept_minor), 0) AS minor FROM bookings_bookingchangelog WHERE booking_id = booking.id
) kept ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(refund.amount_minor), 0) AS minor
    FROM payments_refund refund
    JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE payment.booking_id = booking.id
        AND refund.state = 'succeeded' AND refund.reason IN ('made at Stripe', 'rebuilt')
) by_hand ON true
WHERE booking.status = 'cancelled'
    AND (account.owed_minor - account.captured_minor + account.refunding_minor + account.refunded_minor
        NOT BETWEEN unpaid.minor - account.lost_minor AND unpaid.minor + by_hand.minor
        OR account.owed_minor > quote.total_minor + kept.minor)
