"""The rules of money that only triggers can keep."""

from __future__ import annotations

from django.db import migrations

ACCOUNT_IS_WRITTEN_BY_TRIGGERS = """
CREATE FUNCTION payments_refuse_account_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the sums of booking % follow from the ledger; post a transfer instead', NEW.booking_id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_account_is_derived';
END $$;
CREATE TRIGGER payments_account_is_derived
    BEFORE UPDATE OF owed_minor, in_flight_minor, captured_minor, refunding_minor, refunded_minor,
        disputed_minor, lost_minor
    ON payments_bookingaccount FOR EACH ROW
    WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION payments_refuse_account_write();
CREATE TRIGGER payments_account_starts_empty BEFORE INSERT ON payments_bookingaccount FOR EACH ROW
    WHEN ((NEW.owed_minor, NEW.in_flight_minor, NEW.captured_minor, NEW.refunding_minor, NEW.refunded_minor,
           NEW.disputed_minor, NEW.lost_minor)
          IS DISTINCT FROM (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint))
    EXECUTE FUNCTION payments_refuse_account_write();
"""

# A capture moves a sum from "in flight" to "captured", a refund from "being refunded" to "refunded", a refund that the
# bank sends back the other way round, each in one statement: at no moment do the account's bounds see half of it. A
# dispute takes money from what Stripe holds, and gives it back when it is won; lost, it is the guest's again.
TRANSFERS_MOVE_THE_ACCOUNT = """
CREATE FUNCTION payments_post_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    comes_back boolean := NEW.source_type = 'refund_failure';
    captures boolean := NEW.debit = 'stripe' AND NEW.credit = 'receivable' AND NOT comes_back;
    refunds boolean := NEW.debit = 'receivable' AND NEW.credit = 'stripe';
    bills boolean := NEW.debit = 'receivable' AND NEW.credit <> 'stripe';
    credits boolean := NEW.debit <> 'stripe' AND NEW.credit = 'receivable';
BEGIN
    UPDATE payments_bookingaccount SET
        owed_minor = owed_minor + NEW.amount_minor * (bills::int - credits::int),
        captured_minor = captured_minor + NEW.amount_minor * captures::int,
        in_flight_minor = in_flight_minor - NEW.amount_minor * captures::int,
        refunded_minor = refunded_minor + NEW.amount_minor * (refunds::int - comes_back::int),
        refunding_minor = refunding_minor - NEW.amount_minor * (refunds::int - comes_back::int),
        disputed_minor = disputed_minor
            + NEW.amount_minor * ((NEW.debit = 'disputes')::int - (NEW.credit = 'disputes')::int),
        lost_minor = lost_minor
            + NEW.amount_minor * ((NEW.debit = 'dispute_losses')::int - (NEW.credit = 'dispute_losses')::int)
        WHERE booking_id = NEW.booking_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'booking % has no account', NEW.booking_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_transfer_has_an_account';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_transfer_moves_the_account AFTER INSERT ON payments_ledgertransfer
    FOR EACH ROW EXECUTE FUNCTION payments_post_transfer();
"""

LEDGER_IS_APPEND_ONLY = """
CREATE FUNCTION payments_refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only; correct transfer % with another one', OLD.id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_ledger_is_append_only';
END $$;
CREATE TRIGGER payments_ledger_is_append_only BEFORE UPDATE OR DELETE ON payments_ledgertransfer
    FOR EACH ROW EXECUTE FUNCTION payments_refuse_ledger_change();
"""

# Refunds that make room for one another change places in one statement, and the account sees its end only.
LIVE_ATTEMPTS_ARE_RESERVED = """
CREATE FUNCTION payments_is_live(state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT state IN ('claimed', 'created', 'confirming', 'processing', 'unknown', 'open')
$$;
CREATE FUNCTION payments_reserve(reserved_payment_id bigint, delta_minor bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments_bookingaccount SET in_flight_minor = in_flight_minor + delta_minor
        WHERE booking_id = (SELECT booking_id FROM payments_payment WHERE id = reserved_payment_id);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the booking of payment % has no account', reserved_payment_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_attempt_has_an_account';
    END IF;
END $$;
CREATE FUNCTION payments_reserve_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM payments_reserve(NEW.payment_id, NEW.amount_minor);
    ELSIF payments_is_live(OLD.state) AND NOT payments_is_live(NEW.state) AND NEW.state <> 'succeeded' THEN
        PERFORM payments_reserve(NEW.payment_id, -NEW.amount_minor);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_attempt_is_reserved AFTER INSERT OR UPDATE OF state ON payments_paymentattempt
    FOR EACH ROW EXECUTE FUNCTION payments_reserve_attempt();
CREATE FUNCTION payments_reserve_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments_bookingaccount SET refunding_minor = (
            SELECT coalesce(sum(refund.amount_minor), 0) FROM payments_refund refund
            JOIN payments_paymentattempt attempt ON attempt.id = refund.attempt_id
            JOIN payments_payment payment ON payment.id = attempt.payment_id
            WHERE payment.booking_id = payments_bookingaccount.booking_id
                AND refund.state IN ('requested', 'submitted', 'failed'))
        WHERE booking_id = (
            SELECT payment.booking_id FROM payments_payment payment
            JOIN payments_paymentattempt attempt ON attempt.payment_id = payment.id
            WHERE attempt.id = NEW.attempt_id);
    RETURN NULL;
END $$;
CREATE TRIGGER payments_refund_is_reserved AFTER INSERT ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_reserve_refund();
CREATE TRIGGER payments_refund_makes_room AFTER UPDATE OF state ON payments_refund
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state AND 'void' IN (OLD.state, NEW.state))
    EXECUTE FUNCTION payments_reserve_refund();
"""

# An intent is stored first and looked at last: an attempt goes from created to confirming.
ATTEMPTS_MOVE_FORWARD = """
CREATE FUNCTION payments_check_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'claimed' THEN
            RAISE EXCEPTION 'an attempt begins as claimed, not as %', NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_attempt_transition';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.payment_id, NEW.n, NEW.channel, NEW.amount_minor, NEW.currency, NEW.key, NEW.stripe_customer_id,
        NEW.stripe_payment_method_id, NEW.base_url, NEW.session_expires_at) IS DISTINCT FROM
       (OLD.payment_id, OLD.n, OLD.channel, OLD.amount_minor, OLD.currency, OLD.key, OLD.stripe_customer_id,
        OLD.stripe_payment_method_id, OLD.base_url, OLD.session_expires_at)
       OR (OLD.stripe_intent_id IS NOT NULL AND NEW.stripe_intent_id IS DISTINCT FROM OLD.stripe_intent_id)
       OR (OLD.stripe_session_id IS NOT NULL AND NEW.stripe_session_id IS DISTINCT FROM OLD.stripe_session_id) THEN
        RAISE EXCEPTION 'what attempt % asks of Stripe is fixed when it is claimed', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_attempt_is_fixed';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('claimed', 'created'), ('claimed', 'confirming'), ('claimed', 'succeeded'), ('claimed', 'processing'),
        ('claimed', 'open'), ('claimed', 'declined'), ('claimed', 'canceled'), ('claimed', 'expired'),
        ('created', 'confirming'), ('created', 'canceled'), ('created', 'declined'), ('created', 'succeeded'),
        ('created', 'processing'),
        ('confirming', 'succeeded'), ('confirming', 'declined'), ('confirming', 'canceled'),
        ('confirming', 'processing'), ('confirming', 'unknown'),
        ('unknown', 'succeeded'), ('unknown', 'declined'), ('unknown', 'canceled'), ('unknown', 'processing'),
        ('processing', 'succeeded'), ('processing', 'declined'), ('processing', 'canceled'),
        ('processing', 'unknown'), ('processing', 'expired'),
        ('open', 'succeeded'), ('open', 'processing'), ('open', 'expired')
    ) THEN
        RAISE EXCEPTION 'attempt % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_attempt_transition';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_attempt_moves_forward BEFORE INSERT OR UPDATE ON payments_paymentattempt
    FOR EACH ROW EXECUTE FUNCTION payments_check_attempt();
"""

PAYMENTS_END_ONCE = """
CREATE FUNCTION payments_check_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.booking_id, NEW.kind, NEW.seq, NEW.currency) IS DISTINCT FROM
       (OLD.booking_id, OLD.kind, OLD.seq, OLD.currency)
       OR (NEW.amount_minor <> OLD.amount_minor
           AND EXISTS (SELECT FROM payments_paymentattempt WHERE payment_id = OLD.id)) THEN
        RAISE EXCEPTION 'payment % was already attempted, so what it is for cannot change', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_payment_is_fixed';
    END IF;
    IF NEW.status <> OLD.status AND OLD.status IN ('paid', 'void') THEN
        RAISE EXCEPTION 'payment % is % for good', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_payment_is_final';
    END IF;
    IF NEW.status = 'paid' AND OLD.status <> 'paid' AND NOT EXISTS (
            SELECT FROM payments_paymentattempt WHERE payment_id = OLD.id AND state = 'succeeded') THEN
        RAISE EXCEPTION 'payment % has no attempt that succeeded', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_paid_by_an_attempt';
    END IF;
    IF NEW.status = 'void' AND OLD.status <> 'void' AND EXISTS (
            SELECT FROM payments_paymentattempt WHERE payment_id = OLD.id AND payments_is_live(state)) THEN
        RAISE EXCEPTION 'payment % may still take money', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_void_takes_no_money';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_payment_ends_once BEFORE UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION payments_check_payment();
"""

NIGHTS_STAY_WHILE_MONEY_MOVES = """
CREATE FUNCTION payments_check_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM payments_paymentattempt attempt JOIN payments_payment payment ON payment.id = attempt.payment_id
        WHERE payment.booking_id = OLD.booking_id AND payments_is_live(attempt.state)
    ) THEN
        RAISE EXCEPTION 'booking % may still be paid for: its nights cannot be released', OLD.booking_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_nights_stay_while_money_moves';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_nights_stay_while_money_moves BEFORE UPDATE OF active ON bookings_nightblock
    FOR EACH ROW WHEN (OLD.active AND NOT NEW.active)
    EXECUTE FUNCTION payments_check_release();
"""

# Checked at commit: an attempt and its transfer are written one after the other.
MONEY_AND_LEDGER_AGREE = """
CREATE FUNCTION payments_check_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'succeeded' AND NOT EXISTS (
        SELECT FROM payments_ledgertransfer transfer JOIN payments_payment payment ON payment.id = NEW.payment_id
        WHERE transfer.source_type = 'payment_intent' AND transfer.source_id = NEW.stripe_intent_id
            AND transfer.booking_id = payment.booking_id AND transfer.amount_minor = NEW.amount_minor
            AND (transfer.debit, transfer.credit) = ('stripe', 'receivable')
    ) THEN
        RAISE EXCEPTION 'attempt % succeeded without a transfer', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_capture_is_posted';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_capture_is_posted AFTER UPDATE OF state ON payments_paymentattempt
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_check_capture();
CREATE FUNCTION payments_check_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'succeeded' AND NEW.state <> 'succeeded' AND NOT (NEW.state = 'failed' AND EXISTS (
        SELECT FROM payments_ledgertransfer
        WHERE source_type = 'refund_failure' AND source_id = NEW.stripe_refund_id AND amount_minor = NEW.amount_minor
            AND (debit, credit) = ('stripe', 'receivable')
    )) THEN
        RAISE EXCEPTION 'refund % was paid', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_refund_is_final';
    END IF;
    IF (NEW.attempt_id, NEW.amount_minor, NEW.key) IS DISTINCT FROM (OLD.attempt_id, OLD.amount_minor, OLD.key) THEN
        RAISE EXCEPTION 'what refund % asks of Stripe is fixed', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_refund_is_fixed';
    END IF;
    IF NEW.state = 'succeeded' AND NOT EXISTS (
        SELECT FROM payments_ledgertransfer
        WHERE source_type = 'refund' AND source_id = NEW.stripe_refund_id AND amount_minor = NEW.amount_minor
            AND (debit, credit) = ('receivable', 'stripe')
    ) THEN
        RAISE EXCEPTION 'refund % succeeded without a transfer', NEW.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_refund_is_posted';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_refund_is_posted AFTER UPDATE ON payments_refund
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_check_refund();
CREATE FUNCTION payments_check_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF 'stripe' IN (NEW.debit, NEW.credit) AND NOT EXISTS (
        SELECT FROM payments_paymentattempt
        WHERE NEW.source_type = 'payment_intent' AND stripe_intent_id = NEW.source_id AND state = 'succeeded'
        UNION ALL
        SELECT FROM payments_refund
        WHERE NEW.source_type = 'refund' AND stripe_refund_id = NEW.source_id AND state = 'succeeded'
        UNION ALL
        SELECT FROM payments_refund refund
        JOIN payments_ledgertransfer paid ON (paid.source_type, paid.source_id) = ('refund', refund.stripe_refund_id)
        WHERE NEW.source_type = 'refund_failure' AND refund.stripe_refund_id = NEW.source_id
            AND refund.state IN ('failed', 'void')
        UNION ALL
        SELECT FROM payments_dispute
        WHERE NEW.source_type = 'dispute' AND stripe_dispute_id = split_part(NEW.source_id, ':', 1)
    ) THEN
        RAISE EXCEPTION 'transfer % % moves money that no attempt or refund moved', NEW.source_type, NEW.source_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_transfer_has_a_cause';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_transfer_has_a_cause AFTER INSERT ON payments_ledgertransfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_check_transfer();
"""

EVENTS_ARE_KEPT = """
CREATE FUNCTION payments_refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what Stripe told us in event % is kept as it came', OLD.event_id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_events_are_kept';
END $$;
CREATE TRIGGER payments_events_are_kept BEFORE DELETE OR UPDATE OF event_id, type, object_id, payload, body, received_at
    ON payments_stripeevent FOR EACH ROW EXECUTE FUNCTION payments_refuse_event_change();
"""

DISPUTED_MONEY_STAYS = """
CREATE FUNCTION payments_check_disputed_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM payments_dispute
        WHERE attempt_id = NEW.attempt_id AND NOT is_refundable AND status NOT IN ('won', 'warning_closed')
    ) THEN
        RAISE EXCEPTION 'the money of attempt % is disputed: it is not refunded', NEW.attempt_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_disputed_money_is_not_refunded';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_disputed_money_is_not_refunded BEFORE INSERT OR UPDATE OF state ON payments_refund
    FOR EACH ROW WHEN (NEW.state = 'requested')
    EXECUTE FUNCTION payments_check_disputed_refund();
"""

DISPUTES_STOP_COLLECTION = """
CREATE FUNCTION payments_check_collection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
    END IF;
    IF EXISTS (
        SELECT FROM payments_dispute dispute
        JOIN payments_paymentattempt attempt ON attempt.id = dispute.attempt_id
        JOIN payments_payment disputed ON disputed.id = attempt.payment_id
        JOIN payments_payment due ON due.booking_id = disputed.booking_id
        WHERE due.id = NEW.payment_id AND dispute.status NOT IN ('won', 'warning_closed')
    ) THEN
        RAISE EXCEPTION 'a charge of the booking of payment % is disputed: nothing is collected', NEW.payment_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_disputes_stop_collection';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_disputes_stop_collection BEFORE INSERT OR UPDATE OF state ON payments_paymentattempt
    FOR EACH ROW WHEN (NEW.channel = 'off_session' AND NEW.state IN ('claimed', 'confirming'))
    EXECUTE FUNCTION payments_check_collection();
"""

DISPUTES_ARE_FIXED = """
CREATE FUNCTION payments_check_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.attempt_id, NEW.stripe_dispute_id) IS DISTINCT FROM (OLD.attempt_id, OLD.stripe_dispute_id) THEN
        RAISE EXCEPTION 'what dispute % is about is fixed', OLD.stripe_dispute_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_dispute_is_fixed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_dispute_is_fixed BEFORE UPDATE ON payments_dispute
    FOR EACH ROW EXECUTE FUNCTION payments_check_dispute();
"""

UNDO = """
DROP TRIGGER payments_dispute_is_fixed ON payments_dispute;
DROP TRIGGER payments_disputes_stop_collection ON payments_paymentattempt;
DROP TRIGGER payments_disputed_money_is_not_refunded ON payments_refund;
DROP TRIGGER payments_refund_makes_room ON payments_refund;
DROP TRIGGER payments_events_are_kept ON payments_stripeevent;
DROP TRIGGER payments_transfer_has_a_cause ON payments_ledgertransfer;
DROP TRIGGER payments_refund_is_posted ON payments_refund;
DROP TRIGGER payments_capture_is_posted ON payments_paymentattempt;
DROP TRIGGER payments_nights_stay_while_money_moves ON bookings_nightblock;
DROP TRIGGER payments_payment_ends_once ON payments_payment;
DROP TRIGGER payments_attempt_moves_forward ON payments_paymentattempt;
DROP TRIGGER payments_refund_is_reserved ON payments_refund;
DROP TRIGGER payments_attempt_is_reserved ON payments_paymentattempt;
DROP TRIGGER payments_ledger_is_append_only ON payments_ledgertransfer;
DROP TRIGGER payments_transfer_moves_the_account ON payments_ledgertransfer;
DROP TRIGGER payments_account_starts_empty ON payments_bookingaccount;
DROP TRIGGER payments_account_is_derived ON payments_bookingaccount;
DROP FUNCTION payments_check_dispute, payments_check_collection, payments_check_disputed_refund,
    payments_refuse_event_change, payments_check_transfer, payments_check_refund, payments_check_capture,
    payments_check_release, payments_check_payment, payments_check_attempt, payments_reserve_refund,
    payments_reserve_attempt, payments_reserve, payments_is_live, payments_refuse_ledger_change,
    payments_post_transfer, payments_refuse_account_write;
"""


class Migration(migrations.Migration):
    dependencies = (("payments", "0001_tables"), ("bookings", "0002_guards"))

    operations = (
        migrations.RunSQL(
            ACCOUNT_IS_WRITTEN_BY_TRIGGERS
            + TRANSFERS_MOVE_THE_ACCOUNT
            + LEDGER_IS_APPEND_ONLY
            + LIVE_ATTEMPTS_ARE_RESERVED
            + ATTEMPTS_MOVE_FORWARD
            + PAYMENTS_END_ONCE
            + NIGHTS_STAY_WHILE_MONEY_MOVES
            + MONEY_AND_LEDGER_AGREE
            + EVENTS_ARE_KEPT
            + DISPUTED_MONEY_STAYS
            + DISPUTES_STOP_COLLECTION
            + DISPUTES_ARE_FIXED,
            UNDO,
        ),
    )
