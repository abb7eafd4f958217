-- What Stripe told us is not applied for long. (What no webhook brought is fetched from its list.)
SELECT 'event', event_id
FROM payments_stripeevent
WHERE state = 'received' AND received_at < %(now)s - interval '15 minutes'
