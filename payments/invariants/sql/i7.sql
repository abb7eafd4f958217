-- A payment has two attempts that may take money or have; or one is in doubt for long, and neither is
-- anybody told (after six looks) nor is it looked at. (While the database's own rule stands there are no two.)
SELECT 'payment', payment_id
FROM payments_paymentattempt
WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open', 'succeeded')
    AND NOT EXISTS (
        SELECT FROM pg_index
        WHERE indexrelid = to_regclass('payments_one_live_or_won_attempt') AND indisunique AND indisvalid)
GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT 'attempt', id
FROM payments_paymentattempt
WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
    AND created_at < %(now)s - interval '30 minutes'
    AND coalesce(session_expires_at, '-infinity') < %(now)s
    AND ((state <> 'processing' AND checks < 6) OR check_at < %(now)s - interval '30 minutes')
