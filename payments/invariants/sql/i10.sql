-- What Stripe told us is not applied for long. (What it never told us is read from its list of events.)
SELECT 'event', event_id
FROM payments_stripeevent
WHERE state = 'received' AND received_at < %(now)s - interval '15 minutes'
