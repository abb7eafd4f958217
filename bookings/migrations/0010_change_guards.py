"""A booking blocks the nights of its stay, and those of its open change of dates; a change ends once."""

from __future__ import annotations

from django.db import migrations

LIVING_BOOKING_BLOCKS_ITS_NIGHTS = """
CREATE OR REPLACE FUNCTION bookings_check_nights(checked_booking_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    expected daterange[];
    blocked daterange[];
BEGIN
    SELECT array_agg(nights ORDER BY kind, nights) INTO expected FROM (
        SELECT quote.nights, 'stay' AS kind
            FROM bookings_booking booking JOIN bookings_quote quote ON quote.id = booking.quote_id
            WHERE booking.id = checked_booking_id AND booking.status IN ('pending', 'confirmed', 'completed')
        UNION ALL
        SELECT quote.nights, 'change'
            FROM bookings_datechange change JOIN bookings_quote quote ON quote.id = change.quote_id
            WHERE change.booking_id = checked_booking_id AND change.state = 'open'
    ) living;
    SELECT array_agg(nights ORDER BY kind, nights) INTO blocked
        FROM bookings_nightblock WHERE booking_id = checked_booking_id AND active;
    IF blocked IS DISTINCT FROM expected THEN
        RAISE EXCEPTION 'booking % is for the nights % but blocks %', checked_booking_id, expected, blocked
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bookings_booking_blocks_its_nights';
    END IF;
END $$;
CREATE CONSTRAINT TRIGGER bookings_change_holds_its_nights
    AFTER INSERT OR UPDATE OF state ON bookings_datechange
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bookings_check_nights_of_block();
"""

CHANGES_END_ONCE = """
CREATE FUNCTION bookings_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' OR (NEW.booking_id, NEW.quote_id, NEW.charge_minor, NEW.kept_minor)
            IS DISTINCT FROM (OLD.booking_id, OLD.quote_id, OLD.charge_minor, OLD.kept_minor) THEN
        RAISE EXCEPTION 'what change % was asked for is fixed, and it ends once', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bookings_change_ends_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bookings_change_ends_once BEFORE UPDATE ON bookings_datechange
    FOR EACH ROW EXECUTE FUNCTION bookings_check_change();
"""

# The function that was there before stays as it is now: without a change it asks for the same.
UNDO = """
DROP TRIGGER bookings_change_ends_once ON bookings_datechange;
DROP TRIGGER bookings_change_holds_its_nights ON bookings_datechange;
DROP FUNCTION bookings_check_change;
"""


class Migration(migrations.Migration):
    dependencies = (("bookings", "0009_date_changes"),)

    operations = (migrations.RunSQL(LIVING_BOOKING_BLOCKS_ITS_NIGHTS + CHANGES_END_ONCE, UNDO),)
