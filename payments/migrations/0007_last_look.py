"""An intent is stored first and looked at last: an attempt goes from created to confirming.

A worker of the release before cancels what it finds as created, and the balance is charged by a new attempt.
"""

from __future__ import annotations

from django.db import migrations

CREATED_MAY_BE_CONFIRMED = """
CREATE OR REPLACE FUNCTION payments_check_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

AS_BEFORE = CREATED_MAY_BE_CONFIRMED.replace("('created', 'confirming'), ", "")


class Migration(migrations.Migration):
    dependencies = (("payments", "0006_declined_attempts"),)

    operations = (migrations.RunSQL(sql=CREATED_MAY_BE_CONFIRMED, reverse_sql=AS_BEFORE),)
