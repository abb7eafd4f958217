-- A job runs on a worker that is dead for long; or a balance is due for long, or the next try of a card that
-- said no, and neither was it tried nor is it written down why not: other dates that are being
-- paid for, a dispute, a difference with Stripe, a lock of all charging, a paused queue.
WITH overdue AS (
    SELECT booking.id AS booking_id
    FROM bookings_booking booking
    JOIN payments_payment payment ON payment.booking_id = booking.id AND payment.kind = 'balance'
        AND payment.status = 'pending' AND payment.reason = ''
    WHERE booking.status = 'confirmed' AND booking.settled_at IS NULL AND booking.cancel_requested_at IS NULL
        AND booking.balance_due_at < %(now)s - interval '30 minutes'
        AND NOT EXISTS (SELECT FROM payments_paymentattempt attempt WHERE attempt.payment_id = payment.id)
    UNION
    SELECT payment.booking_id
    FROM payments_dunning dunning
    JOIN payments_payment payment ON payment.id = dunning.payment_id
        AND payment.status IN ('failed', 'requires_action')
    JOIN bookings_booking booking ON booking.id = payment.booking_id
    WHERE dunning.next_at < %(now)s - interval '1 hour' AND (
        (payment.kind = 'balance' AND booking.status = 'confirmed' AND booking.settled_at IS NULL
            AND booking.cancel_requested_at IS NULL)
        OR (payment.kind = 'fee' AND booking.status = 'cancelled'))
)
SELECT 'job', job.id
FROM procrastinate_jobs job
WHERE job.status = 'doing'
    AND NOT EXISTS (
        SELECT FROM procrastinate_workers worker
        WHERE worker.id = job.worker_id AND worker.last_heartbeat > %(now)s - interval '15 minutes')
    AND NOT EXISTS (
        SELECT FROM procrastinate_events event
        WHERE event.job_id = job.id AND event.at > %(now)s - interval '15 minutes')
UNION ALL
SELECT 'booking', overdue.booking_id
FROM overdue
WHERE NOT EXISTS (
        SELECT FROM payments_dispute dispute
        JOIN payments_paymentattempt attempt ON attempt.id = dispute.attempt_id
        JOIN payments_payment disputed ON disputed.id = attempt.payment_id
        WHERE disputed.booking_id = overdue.booking_id AND dispute.status NOT IN ('won', 'warning_closed'))
    AND NOT EXISTS (
        SELECT FROM payments_reconciliationbreak difference
        WHERE difference.booking_id = overdue.booking_id AND difference.closed_at IS NULL)
    AND NOT EXISTS (
        SELECT FROM bookings_datechange change
        WHERE change.booking_id = overdue.booking_id AND change.state = 'open')
    AND NOT EXISTS (SELECT FROM payments_stripememory WHERE locked_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM procrastinate_tasks_queuerule
        WHERE queue_name = 'payments' AND paused_at IS NOT NULL)
