-- A booking's instants tell of a way that no booking takes. (Its transitions themselves are not recorded.)
SELECT 'booking', id
FROM bookings_booking
WHERE (status IN ('pending', 'expired') AND (confirmed_at IS NOT NULL OR settled_at IS NOT NULL))
    OR (status IN ('confirmed', 'completed') AND confirmed_at IS NULL)
    OR (status = 'completed' AND (settled_at IS NULL OR cancel_requested_at IS NOT NULL))
    OR (status = 'cancelled') <> (cancelled_at IS NOT NULL)
    OR (status = 'cancelled' AND cancel_requested_at IS NULL)
    OR confirmed_at < created_at
