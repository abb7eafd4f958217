"""The rules of bookings that only triggers can keep."""

from __future__ import annotations

from django.db import migrations

QUOTE_NEVER_CHANGES = """
CREATE FUNCTION bookings_refuse_quote_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'quote % never changes; make a new one', OLD.id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bookings_quote_never_changes';
END $$;
CREATE TRIGGER bookings_quote_never_changes BEFORE UPDATE OR DELETE ON bookings_quote
    FOR EACH ROW EXECUTE FUNCTION bookings_refuse_quote_change();
"""

QUOTE_KEEPS_THE_RULES_OF_ITS_HOME = """
CREATE FUNCTION bookings_check_quote() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    home bookings_property;
    night_count integer := upper(NEW.nights) - lower(NEW.nights);
BEGIN
    SELECT * INTO STRICT home FROM bookings_property WHERE id = NEW.home_id;
    IF night_count IS NULL OR night_count NOT BETWEEN home.min_nights AND home.max_nights
            OR NEW.guests > home.capacity THEN
        RAISE EXCEPTION 'a stay of % nights for % guests breaks a rule of property %',
            night_count, NEW.guests, home.slug
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bookings_quote_keeps_the_rules';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bookings_quote_keeps_the_rules BEFORE INSERT ON bookings_quote
    FOR EACH ROW EXECUTE FUNCTION bookings_check_quote();
"""

BOOKING_MOVES_ALONG_ITS_STATES = """
CREATE FUNCTION bookings_check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'confirmed'), ('pending', 'expired'), ('pending', 'cancelled'),
        ('confirmed', 'completed'), ('confirmed', 'cancelled')
    ) THEN
        RAISE EXCEPTION 'booking % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bookings_booking_transition';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bookings_booking_transition BEFORE UPDATE OF status ON bookings_booking
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION bookings_check_transition();
"""

# The nights of its stay, and those of its open change of dates. Checked at commit, because a hold writes its rows one
# after the other.
LIVING_BOOKING_BLOCKS_ITS_NIGHTS = """
CREATE FUNCTION bookings_check_nights(checked_booking_id bigint) RETURNS void LANGUAGE plpgsql AS $$
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
CREATE FUNCTION bookings_check_nights_of_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bookings_check_nights(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION bookings_check_nights_of_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bookings_check_nights(coalesce(NEW.booking_id, OLD.booking_id));
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bookings_booking_blocks_its_nights
    AFTER INSERT OR UPDATE OF status, quote_id ON bookings_booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bookings_check_nights_of_booking();
CREATE CONSTRAINT TRIGGER bookings_block_belongs_to_a_living_booking
    AFTER INSERT OR UPDATE OR DELETE ON bookings_nightblock
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bookings_check_nights_of_block();
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

WHAT_WAS_AGREED_NEVER_CHANGES = """
CREATE FUNCTION bookings_refuse_legal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: row % never changes, guests have agreed to it', TG_TABLE_NAME, OLD.id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'bookings_what_was_agreed_never_changes';
END $$;
CREATE TRIGGER bookings_legal_text_never_changes BEFORE UPDATE OR DELETE ON bookings_legaltext
    FOR EACH ROW EXECUTE FUNCTION bookings_refuse_legal_change();
CREATE TRIGGER bookings_consent_never_changes BEFORE UPDATE OR DELETE ON bookings_consent
    FOR EACH ROW EXECUTE FUNCTION bookings_refuse_legal_change();
"""

UNDO = """
DROP TRIGGER bookings_consent_never_changes ON bookings_consent;
DROP TRIGGER bookings_legal_text_never_changes ON bookings_legaltext;
DROP TRIGGER bookings_change_ends_once ON bookings_datechange;
DROP TRIGGER bookings_change_holds_its_nights ON bookings_datechange;
DROP TRIGGER bookings_block_belongs_to_a_living_booking ON bookings_nightblock;
DROP TRIGGER bookings_booking_blocks_its_nights ON bookings_booking;
DROP TRIGGER bookings_booking_transition ON bookings_booking;
DROP TRIGGER bookings_quote_keeps_the_rules ON bookings_quote;
DROP TRIGGER bookings_quote_never_changes ON bookings_quote;
DROP FUNCTION bookings_refuse_legal_change, bookings_check_change, bookings_check_nights_of_block,
    bookings_check_nights_of_booking, bookings_check_nights, bookings_check_transition, bookings_check_quote, bookings_refuse_quote_change;
"""


class Migration(migrations.Migration):
    dependencies = (("bookings", "0001_tables"),)

    operations = (
        migrations.RunSQL(
            QUOTE_NEVER_CHANGES
            + QUOTE_KEEPS_THE_RULES_OF_ITS_HOME
            + BOOKING_MOVES_ALONG_ITS_STATES
            + LIVING_BOOKING_BLOCKS_ITS_NIGHTS
            + CHANGES_END_ONCE
            + WHAT_WAS_AGREED_NEVER_CHANGES,
            UNDO,
        ),
    )
