"""What the database itself keeps of disputes, and of refunds that replace one another."""

from __future__ import annotations

from django.db import migrations

_SUMS = "owed_minor, in_flight_minor, captured_minor, refunding_minor, refunded_minor"

ACCOUNT_IS_WRITTEN_BY_TRIGGERS = """
DROP TRIGGER payments_account_is_derived ON payments_bookingaccount;
CREATE TRIGGER payments_account_is_derived
    BEFORE UPDATE OF {sums} ON payments_bookingaccount FOR EACH ROW
    WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION payments_refuse_account_write();
DROP TRIGGER payments_account_starts_empty ON payments_bookingaccount;
CREATE TRIGGER payments_account_starts_empty BEFORE INSERT ON payments_bookingaccount FOR EACH ROW
    WHEN (({new_sums}) IS DISTINCT FROM ({zeros}))
    EXECUTE FUNCTION payments_refuse_account_write();
"""


def _account_triggers(sums: str) -> str:
    names = sums.split(", ")
    return ACCOUNT_IS_WRITTEN_BY_TRIGGERS.format(
        sums=sums,
        new_sums=", ".join(f"NEW.{name}" for name in names),
        zeros=", ".join("0::bigint" for _ in names),
    )


# A dispute takes money from what Stripe holds, and gives it back when it is won; lost, it is the guest's again.
TRANSFERS_MOVE_THE_ACCOUNT = """
CREATE OR REPLACE FUNCTION payments_post_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

# Refunds that make room for one another change places in one statement, and the account sees its end only.
REFUNDS_ARE_RESERVED = """
CREATE OR REPLACE FUNCTION payments_reserve_refund() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER payments_refund_makes_room AFTER UPDATE OF state ON payments_refund
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state AND 'void' IN (OLD.state, NEW.state))
    EXECUTE FUNCTION payments_reserve_refund();
"""

TRANSFERS_HAVE_A_CAUSE = """
CREATE OR REPLACE FUNCTION payments_check_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
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

# The functions that were there before stay as they are now: they do the same for what was there before.
UNDO = f"""
DROP TRIGGER payments_dispute_is_fixed ON payments_dispute;
DROP TRIGGER payments_disputes_stop_collection ON payments_paymentattempt;
DROP TRIGGER payments_disputed_money_is_not_refunded ON payments_refund;
DROP TRIGGER payments_refund_makes_room ON payments_refund;
DROP FUNCTION payments_check_dispute, payments_check_collection, payments_check_disputed_refund;
{_account_triggers(_SUMS)}
"""


class Migration(migrations.Migration):
    dependencies = (("payments", "0012_disputes"),)

    operations = (
        migrations.RunSQL(
            _account_triggers(f"{_SUMS}, disputed_minor, lost_minor")
            + TRANSFERS_MOVE_THE_ACCOUNT
            + REFUNDS_ARE_RESERVED
            + TRANSFERS_HAVE_A_CAUSE
            + DISPUTED_MONEY_STAYS
            + DISPUTES_STOP_COLLECTION
            + DISPUTES_ARE_FIXED,
            UNDO,
        ),
    )
