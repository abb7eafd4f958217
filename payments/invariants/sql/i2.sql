-- A payment was charged twice, or a booking has paid two balances. (While the database's own rules stand there
-- is no second of either. First those that have two of whatever may take money: an index alone answers that.)
SELECT 'payment', payment_id
FROM payments_paymentattempt
WHERE state = 'succeeded' AND payment_id IN (
    SELECT payment_id
    FROM payments_paymentattempt
    WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open', 'succeeded')
        AND NOT EXISTS (
            SELECT FROM pg_index
            WHERE indexrelid = to_regclass('payments_one_live_or_won_attempt') AND indisunique AND indisvalid)
    GROUP BY payment_id HAVING count(*) > 1)
GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT 'booking', booking_id
FROM payments_payment
WHERE status = 'paid' AND kind = 'balance' AND booking_id IN (
    SELECT booking_id
    FROM payments_payment
    WHERE kind = 'balance' AND status <> 'void'
        AND NOT EXISTS (
            SELECT FROM pg_index
            WHERE indexrelid = to_regclass('payments_one_balance_per_booking') AND indisunique AND indisvalid)
    GROUP BY booking_id HAVING count(*) > 1)
GROUP BY booking_id HAVING count(*) > 1
