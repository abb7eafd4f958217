-- Of a cancelled booking the house neither keeps nor bills just what the rules let it; what was waived is
-- credited in the ledger. What a bank took back for good may be what the guest was owed; what somebody refunded
-- at Stripe afterwards is owed again: it stands in the list of debts until staff waive it.
SELECT 'booking', booking.id
FROM bookings_booking booking
JOIN (
    SELECT *, owed_minor - captured_minor + refunding_minor + refunded_minor AS due_minor
    FROM payments_bookingaccount
) account ON account.booking_id = booking.id
JOIN bookings_quote quote ON quote.id = booking.quote_id
LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0) AS minor
    FROM payments_payment payment
    WHERE payment.booking_id = booking.id AND payment.status NOT IN ('paid', 'void')
) unpaid ON true
WHERE booking.status = 'cancelled' AND (
    account.due_minor < unpaid.minor - account.lost_minor
    OR (account.due_minor > unpaid.minor AND account.due_minor > unpaid.minor + (
        SELECT coalesce(sum(refund.amount_minor), 0)
        FROM payments_refund refund
        JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
        JOIN payments_payment payment ON payment.id = attempt.payment_id
        WHERE payment.booking_id = booking.id
            AND refund.state = 'succeeded' AND refund.reason IN ('made at Stripe', 'rebuilt')))
    OR (account.owed_minor > quote.total_minor AND account.owed_minor > quote.total_minor + (
        SELECT coalesce(sum(kept_minor), 0) FROM bookings_bookingchangelog WHERE booking_id = booking.id)))
