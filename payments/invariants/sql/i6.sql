-- Two bookings share a night; a living booking does not block its nights; nights are blocked for nobody.
-- (Blocks are compared one by one only in a home where there are more nights of blocks than nights that are
-- blocked; and with bookings, only where the sums of their fingerprints differ.)
WITH blocks AS NOT MATERIALIZED (
    SELECT id, home_id, booking_id, coalesce(booking_id, -id) AS owner, kind, nights
    FROM bookings_nightblock WHERE active
), crowded AS MATERIALIZED (
    SELECT home_id
    FROM (
        SELECT home_id, sum(upper(nights) - lower(nights)) AS nights, range_agg(nights) AS blocked
        FROM blocks GROUP BY home_id
    ) home
    WHERE nights <> (SELECT sum(upper(each) - lower(each)) FROM unnest(blocked) each)
), suspects AS (
    SELECT *, lower(nights) < max(upper(nights)) OVER (
        PARTITION BY home_id ORDER BY lower(nights), id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS is_suspect
    FROM blocks WHERE home_id IN (SELECT home_id FROM crowded)
), living AS NOT MATERIALIZED (
    SELECT booking.id, quote.nights, 'stay' AS kind
    FROM bookings_booking booking JOIN bookings_quote quote ON quote.id = booking.quote_id
    WHERE booking.status IN ('pending', 'confirmed', 'completed')
    UNION ALL
    SELECT change.booking_id, quote.nights, 'change'
    FROM bookings_datechange change JOIN bookings_quote quote ON quote.id = change.quote_id
    WHERE change.state = 'open'
), sides AS MATERIALIZED (
    SELECT (SELECT sum(hashtextextended(kind, hash_range_extended(nights, id))) FROM living)
        IS DISTINCT FROM (
            SELECT sum(hashtextextended(kind, hash_range_extended(nights, coalesce(booking_id, 0))))
            FROM blocks WHERE kind <> 'manual'
        ) AS differ
)
SELECT 'booking', suspect.owner
FROM suspects suspect
JOIN bookings_nightblock other ON other.home_id = suspect.home_id AND other.nights && suspect.nights
    AND coalesce(other.booking_id, -other.id) <> suspect.owner AND other.active
WHERE suspect.is_suspect
UNION
SELECT 'booking', coalesce(living.id, blocks.booking_id)
FROM living FULL JOIN (SELECT * FROM blocks WHERE kind <> 'manual') blocks
    ON blocks.booking_id = living.id AND blocks.kind = living.kind
WHERE (SELECT differ FROM sides) AND living.nights IS DISTINCT FROM blocks.nights
