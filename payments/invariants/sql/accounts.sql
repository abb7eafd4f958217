-- Which of I1, I3, I4 and I8 may be broken: each table is read once, and the rows of two are matched by sums alone.
-- The sum of hashes tells whether two sets of rows are the same. The sum of amounts, each times a hash of its
-- booking, tells whether all bookings have the same sums. The hash has another salt with each look: what one
-- look in sixteen million does not see, the next one does.
WITH won AS (
    SELECT sum(hashtextextended(currency, hashint8extended(payment_id, amount_minor))) AS payments,
        sum(hashtextextended(coalesce(stripe_intent_id, ''), hashtextextended(currency, amount_minor))) AS intents
    FROM payments_paymentattempt
    WHERE state = 'succeeded'
), paid AS (
    SELECT sum(hashtextextended(currency, hashint8extended(id, amount_minor))) AS payments,
        sum((hashint8extended(booking_id, %(salt)s) >> 40) * amount_minor) AS captured,
        sum(hashint8extended(id, booking_id)) AS told
    FROM payments_payment
    WHERE status = 'paid'
), told AS (
    SELECT sum(hashint8extended(payment_id, booking_id)) AS payments
    FROM payments_guestemail
    WHERE kind IN ('confirmed', 'receipt')
), excused AS (
    SELECT sum(hashint8extended(untold.id, untold.booking_id)) AS payments
    FROM bookings_booking booking, LATERAL (
        SELECT payment.id, payment.booking_id
        FROM payments_payment payment
        WHERE payment.booking_id = booking.id AND payment.kind = 'deposit' AND payment.status = 'paid'
            AND NOT EXISTS (
                SELECT FROM payments_guestemail email
                WHERE email.payment_id = payment.id AND email.booking_id = payment.booking_id
                    AND email.kind IN ('confirmed', 'receipt'))
        OFFSET 0
    ) untold
    WHERE booking.confirmed_at IS NULL OR booking.cancel_requested_at IS NOT NULL
), live AS (
    SELECT sum((hashint8extended(payment.booking_id, %(salt)s) >> 40) * attempt.amount_minor) AS in_flight
    FROM payments_paymentattempt attempt JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE attempt.state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
), back AS (
    SELECT sum(weight * amount_minor) FILTER (WHERE state = 'succeeded') AS refunded,
        sum(weight * amount_minor) FILTER (WHERE state IN ('requested', 'submitted', 'failed')) AS refunding
    FROM (
        SELECT state, amount_minor, (
            SELECT hashint8extended(payment.booking_id, %(salt)s) >> 40
            FROM payments_paymentattempt attempt JOIN payments_payment payment ON payment.id = attempt.payment_id
            WHERE attempt.id = refund.attempt_id
        ) AS weight
        FROM payments_refund refund
    ) refund
), posted AS (
    SELECT sum(CASE 'receivable' WHEN debit THEN weight * amount_minor WHEN credit THEN -weight * amount_minor END)
            AS receivable,
        sum(weight * amount_minor) FILTER (WHERE source_type = 'payment_intent') AS captured,
        sum(CASE source_type WHEN 'refund' THEN weight * amount_minor
            WHEN 'refund_failure' THEN -weight * amount_minor END) AS refunded,
        sum(CASE 'disputes' WHEN debit THEN weight * amount_minor WHEN credit THEN -weight * amount_minor END)
            AS disputed,
        sum(CASE 'dispute_losses' WHEN debit THEN weight * amount_minor
            WHEN credit THEN -weight * amount_minor END) AS lost,
        sum(hashtextextended(source_id, hashtextextended(currency, amount_minor)))
            FILTER (WHERE source_type = 'payment_intent' AND debit = 'stripe' AND credit = 'receivable') AS intents
    FROM (
        SELECT *, hashint8extended(booking_id, %(salt)s) >> 40 AS weight FROM payments_ledgertransfer
    ) transfer
), account AS (
    SELECT sum(weight * owed_minor) AS owed, sum(weight * in_flight_minor) AS in_flight,
        sum(weight * captured_minor) AS captured, sum(weight * refunding_minor) AS refunding,
        sum(weight * refunded_minor) AS refunded, sum(weight * disputed_minor) AS disputed,
        sum(weight * lost_minor) AS lost,
        coalesce(bool_or(captured_minor + in_flight_minor - refunded_minor - refunding_minor - lost_minor
            > owed_minor), false) AS has_too_much
    FROM (
        SELECT *, hashint8extended(booking_id, %(salt)s) >> 40 AS weight FROM payments_bookingaccount
    ) account
), looks AS (
    SELECT won.payments IS DISTINCT FROM paid.payments AS payments_differ,
        won.intents IS DISTINCT FROM posted.intents AS intents_differ,
        coalesce(account.captured, 0) <> coalesce(paid.captured, 0)
            OR coalesce(account.refunded, 0) <> coalesce(back.refunded, 0) AS moves_differ,
        coalesce(paid.told, 0) <> coalesce(told.payments, 0) + coalesce(excused.payments, 0) AS letters_differ,
        account.has_too_much
            OR coalesce(account.owed, 0) <> coalesce(posted.receivable, 0) + coalesce(posted.captured, 0)
                - coalesce(posted.refunded, 0)
            OR coalesce(account.in_flight, 0) <> coalesce(live.in_flight, 0)
            OR coalesce(account.captured, 0) <> coalesce(posted.captured, 0)
            OR coalesce(account.refunding, 0) <> coalesce(back.refunding, 0)
            OR coalesce(account.refunded, 0) <> coalesce(posted.refunded, 0)
            OR coalesce(account.disputed, 0) <> coalesce(posted.disputed, 0)
            OR coalesce(account.lost, 0) <> coalesce(posted.lost, 0) AS sums_differ
    FROM won, paid, told, excused, live, back, posted, account
)
SELECT 'I1' FROM looks
WHERE payments_differ OR moves_differ OR EXISTS (
    SELECT FROM (
        SELECT (
            SELECT status IN ('confirmed', 'completed') AND settled_at IS NOT NULL
            FROM bookings_booking WHERE id = account.booking_id
        ) AS is_settled
        FROM payments_bookingaccount account WHERE captured_minor < owed_minor
    ) unpaid WHERE is_settled)
UNION ALL
SELECT 'I3' FROM looks WHERE payments_differ OR intents_differ
UNION ALL
SELECT 'I4' FROM looks WHERE letters_differ
UNION ALL
SELECT 'I8' FROM looks
WHERE sums_differ OR EXISTS (
    SELECT FROM bookings_booking booking
    WHERE NOT EXISTS (SELECT FROM payments_bookingaccount WHERE booking_id = booking.id)
        AND EXISTS (SELECT FROM payments_ledgertransfer WHERE booking_id = booking.id))
