-- A completed stay owes something, or more was paid than is owed and nobody is paying it back.
SELECT 'booking', account.booking_id
FROM payments_bookingaccount account JOIN bookings_booking booking ON booking.id = account.booking_id
WHERE (booking.status = 'completed'
        AND account.owed_minor - account.captured_minor + account.refunded_minor + account.refunding_minor <> 0)
    OR account.owed_minor - account.captured_minor + account.refunded_minor + account.refunding_minor
        + account.lost_minor < 0
