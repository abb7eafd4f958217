-- A completed stay owes something, or more was paid than is owed and nobody is paying it back. (What somebody
-- refunded at Stripe afterwards is owed again: it stands in the list of debts until staff waive it.)
SELECT 'booking', account.booking_id
FROM (
    SELECT booking_id, lost_minor, owed_minor - captured_minor + refunded_minor + refunding_minor AS due_minor
    FROM payments_bookingaccount
) account
WHERE account.due_minor <> 0 AND (
    account.due_minor + account.lost_minor < 0
    OR ((SELECT status FROM bookings_booking WHERE id = account.booking_id) = 'completed'
        AND account.due_minor NOT BETWEEN 0 AND (
            SELECT coalesce(sum(refund.amount_minor), 0)
            FROM payments_refund refund
            JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
            JOIN payments_payment payment ON payment.id = attempt.payment_id
            WHERE payment.booking_id = account.booking_id
                AND refund.state = 'succeeded' AND refund.reason IN ('made at Stripe', 'rebuilt'))))
