-- A payment was charged twice, or a booking has paid two balances.
SELECT 'payment', payment_id
FROM payments_paymentattempt
WHERE state = 'succeeded'
GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT 'booking', booking_id
FROM payments_payment
WHERE kind = 'balance' AND status = 'paid'
GROUP BY booking_id HAVING count(*) > 1
