-- The same e-mail was written twice, or one was both sent and dropped. (A provider's id is not stored: the
-- Message-ID follows from the row. While the database's own rule stands there are no two of the same.)
SELECT 'email', min(id)
FROM payments_guestemail
WHERE NOT EXISTS (
    SELECT FROM pg_index
    WHERE indexrelid = to_regclass('payments_one_email_per_version') AND indisunique AND indisvalid)
GROUP BY booking_id, kind, payment_id, refund_id, version HAVING count(*) > 1
UNION ALL
SELECT 'email', id FROM payments_guestemail WHERE sent_at IS NOT NULL AND dropped_at IS NOT NULL
