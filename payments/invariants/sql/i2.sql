-- A payment was charged twice, or a booking has paid two balances. (First those that have two of whatever may
-- take money: an index alone answers that.)
SELECT 'payment', payment_id
FROM payments_paymentattempt
WHERE state = 'succeeded' AND payment_id IN (
    SELECT payment_id
    FROM payments_paymentattempt
    WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open', 'succeeded')
    GROUP BY payment_id HAVING count(*) > 1)
GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT 'booking', booking_id
FROM payments_payment
WHERE status = 'paid' AND kind = 'balance' AND booking_id IN (
    SELECT booking_id
    FROM payments_payment
    WHERE kind = 'balance' AND status <> 'void'
    GROUP BY booking_id HAVING count(*) > 1)
GROUP BY booking_id HAVING count(*) > 1
