-- The sums of a booking's account do not follow from its rows; or more is taken than is owed. (Accounts and
-- ledger are matched one by one only where numbers that are made of all of them differ.)
WITH weighed AS NOT MATERIALIZED (
    SELECT debit, credit, source_type, (hashint8extended(booking_id, 1) & 1073741823 | 1) * amount_minor AS weight
    FROM payments_ledgertransfer
), sides AS MATERIALIZED (
    SELECT (
        SELECT ROW(
            coalesce(sum(weight) FILTER (WHERE debit = 'receivable'), 0)
                - coalesce(sum(weight) FILTER (WHERE credit = 'receivable'), 0),
            coalesce(sum(weight) FILTER (WHERE source_type = 'payment_intent'), 0),
            coalesce(sum(weight) FILTER (WHERE source_type = 'refund'), 0)
                - coalesce(sum(weight) FILTER (WHERE source_type = 'refund_failure'), 0),
            coalesce(sum(weight) FILTER (WHERE debit = 'disputes'), 0)
                - coalesce(sum(weight) FILTER (WHERE credit = 'disputes'), 0),
            coalesce(sum(weight) FILTER (WHERE debit = 'dispute_losses'), 0)
                - coalesce(sum(weight) FILTER (WHERE credit = 'dispute_losses'), 0))
        FROM weighed
    ) IS DISTINCT FROM (
        SELECT ROW(
            coalesce(sum(weight * (owed_minor - captured_minor + refunded_minor)), 0),
            coalesce(sum(weight * captured_minor), 0),
            coalesce(sum(weight * refunded_minor), 0),
            coalesce(sum(weight * disputed_minor), 0),
            coalesce(sum(weight * lost_minor), 0))
        FROM (SELECT *, (hashint8extended(booking_id, 1) & 1073741823 | 1) AS weight FROM payments_bookingaccount) account
    ) AS differ
), posted AS (
    SELECT booking_id,
        sum(amount_minor) FILTER (WHERE debit = 'receivable')
            - coalesce(sum(amount_minor) FILTER (WHERE credit = 'receivable'), 0) AS receivable,
        coalesce(sum(amount_minor) FILTER (WHERE source_type = 'payment_intent'), 0) AS captured,
        coalesce(sum(amount_minor) FILTER (WHERE source_type = 'refund'), 0)
            - coalesce(sum(amount_minor) FILTER (WHERE source_type = 'refund_failure'), 0) AS refunded,
        coalesce(sum(amount_minor) FILTER (WHERE debit = 'disputes'), 0)
            - coalesce(sum(amount_minor) FILTER (WHERE credit = 'disputes'), 0) AS disputed,
        coalesce(sum(amount_minor) FILTER (WHERE debit = 'dispute_losses'), 0)
            - coalesce(sum(amount_minor) FILTER (WHERE credit = 'dispute_losses'), 0) AS lost
    FROM payments_ledgertransfer
    GROUP BY booking_id
), live AS (
    SELECT payment.booking_id, sum(attempt.amount_minor) AS minor
    FROM payments_paymentattempt attempt JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE attempt.state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
    GROUP BY payment.booking_id
), owed_back AS (
    SELECT payment.booking_id, sum(refund.amount_minor) AS minor
    FROM payments_refund refund
    JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE refund.state IN ('requested', 'submitted', 'failed')
    GROUP BY payment.booking_id
)
SELECT 'booking', coalesce(account.booking_id, posted.booking_id)
FROM payments_bookingaccount account FULL JOIN posted ON posted.booking_id = account.booking_id
WHERE (SELECT differ FROM sides) AND (account.booking_id IS NULL
    OR account.owed_minor
        <> coalesce(posted.receivable, 0) + coalesce(posted.captured, 0) - coalesce(posted.refunded, 0)
    OR account.captured_minor <> coalesce(posted.captured, 0)
    OR account.refunded_minor <> coalesce(posted.refunded, 0)
    OR account.disputed_minor <> coalesce(posted.disputed, 0)
    OR account.lost_minor <> coalesce(posted.lost, 0))
UNION
SELECT 'booking', coalesce(account.booking_id, live.booking_id)
FROM (SELECT booking_id, in_flight_minor FROM payments_bookingaccount WHERE in_flight_minor <> 0) account
FULL JOIN live ON live.booking_id = account.booking_id
WHERE account.in_flight_minor IS DISTINCT FROM live.minor
UNION
SELECT 'booking', coalesce(account.booking_id, owed_back.booking_id)
FROM (SELECT booking_id, refunding_minor FROM payments_bookingaccount WHERE refunding_minor <> 0) account
FULL JOIN owed_back ON owed_back.booking_id = account.booking_id
WHERE account.refunding_minor IS DISTINCT FROM owed_back.minor
UNION
SELECT 'booking', booking_id
FROM payments_bookingaccount
WHERE captured_minor + in_flight_minor - refunded_minor - refunding_minor - lost_minor > owed_minor
