-- The same e-mail was written twice, or one was both sent and dropped. (A provider's id is not stored: the
-- Message-ID follows from the row.)
SELECT 'email', min(id)
FROM payments_guestemail
GROUP BY booking_id, kind, payment_id, refund_id, version HAVING count(*) > 1
UNION ALL
SELECT 'email', id FROM payments_guestemail WHERE sent_at IS NOT NULL AND dropped_at IS NOT NULL
