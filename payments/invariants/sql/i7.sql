-- A payment has two attempts that may take money or have; or one is in doubt for long, and neither is
-- anybody told (after six looks) nor is it looked at.
SELECT 'payment', payment_id
FROM payments_paymentattempt
WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open', 'succeeded')
GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT 'attempt', id
FROM payments_paymentattempt
WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
    AND created_at < %(now)s - interval '30 minutes'
    AND coalesce(session_expires_at, '-infinity') < %(now)s
    AND ((state <> 'processing' AND checks < 6) OR check_at < %(now)s - interval '30 minutes')
