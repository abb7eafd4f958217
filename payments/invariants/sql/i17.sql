-- Money is on its way and nobody looks at it any more. (Calls to Stripe are not journalled: the attempt or
-- refund is written before each, under a key of its own.)
WITH is_paused AS (
    SELECT FROM procrastinate_tasks_queuerule WHERE queue_name = 'payments' AND paused_at IS NOT NULL
)
SELECT 'attempt', id
FROM payments_paymentattempt
WHERE state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
    AND check_at < %(now)s - interval '10 minutes' AND NOT EXISTS (SELECT FROM is_paused)
UNION ALL
SELECT 'refund', id
FROM payments_refund
WHERE state IN ('requested', 'submitted')
    AND check_at < %(now)s - interval '10 minutes' AND NOT EXISTS (SELECT FROM is_paused)
