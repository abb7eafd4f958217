"""Stays of many years with all their money, written by SQL without the triggers: their rows already agree.

Of a hundred stays 96 are over and paid, two were cancelled in time and their deposits paid back, and two are
confirmed with a balance to come.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection, transaction

_HOMES = 1_000

# Home by home each has nights of its own; a booking and its quote have the same number, and so have a deposit
# (twice the booking's), a balance (one more) and the attempts at them.
_STATEMENTS: Mapping[str, str] = {
    "homes": """
        INSERT INTO bookings_property (id, name, slug, town, summary, timezone, capacity, nightly_rate_minor,
            cleaning_fee_minor, tax_bps, min_nights, max_nights, currency, is_listed)
        SELECT number, 'Casa ' || number, 'casa-' || number, 'Tulum', '', 'America/Mexico_City', 4, 100000,
            10000, 1600, 2, 30, 'mxn', false
        FROM generate_series(1, %(homes)s) number""",
    "stays": """
        CREATE TEMPORARY TABLE stay ON COMMIT DROP AS
        SELECT number, 1 + number %% %(homes)s AS home,
            daterange(date '2027-01-01' - 3 * (number / %(homes)s),
                date '2027-01-04' - 3 * (number / %(homes)s)) AS nights,
            CASE WHEN number %% 100 IN (1, 2) THEN 'cancelled'
                WHEN number %% 100 IN (3, 4) THEN 'confirmed' ELSE 'completed' END AS status,
            now() - interval '1 hour' * (number / 100) - interval '60 days' AS at
        FROM generate_series(1, %(count)s) number""",
    "quotes": """
        INSERT INTO bookings_quote (id, home_id, nights, guests, nightly_rate_minor, tax_bps, lodging_minor,
            discount_minor, cleaning_minor, tax_minor, total_minor, deposit_minor, currency, created_at)
        OVERRIDING SYSTEM VALUE
        SELECT number, home, nights, 2, 100000, 1600, 300000, 0, 10000, 49600, 359600, 107880, 'mxn', at
        FROM stay""",
    "bookings": """
        INSERT INTO bookings_booking (id, public_id, quote_id, status, guest_name, guest_email, guest_phone,
            arrival_at, departure_at, balance_due_at, hold_expires_at, checkout_open, created_at,
            confirmed_at, cancel_requested_at, cancelled_at, settled_at)
        OVERRIDING SYSTEM VALUE
        SELECT number, gen_random_uuid(), number, status, 'Lucía Pérez',
            'guest' || number || '@correo.example', '', at + interval '20 days', at + interval '23 days',
            CASE status WHEN 'confirmed' THEN now() + interval '9 days' ELSE at + interval '22 days' END,
            at + interval '30 minutes', false, at, at + interval '9 minutes',
            CASE status WHEN 'cancelled' THEN at + interval '2 days' END,
            CASE status WHEN 'cancelled' THEN at + interval '2 days' END,
            CASE status WHEN 'completed' THEN at + interval '22 days' END
        FROM stay""",
    "nights": """
        INSERT INTO bookings_nightblock (home_id, booking_id, nights, active, created_at, released_at,
            release_proof, kind)
        SELECT home, number, nights, status <> 'cancelled', at,
            CASE status WHEN 'cancelled' THEN at + interval '2 days' END,
            CASE status WHEN 'cancelled' THEN 'cancelled' ELSE '' END, 'stay'
        FROM stay""",
    "accounts": """
        INSERT INTO payments_bookingaccount (booking_id, owed_minor, in_flight_minor, captured_minor,
            refunding_minor, refunded_minor, stripe_customer_id, stripe_payment_method_id)
        SELECT number, CASE status WHEN 'cancelled' THEN 0 ELSE 359600 END, 0,
            CASE status WHEN 'completed' THEN 359600 ELSE 107880 END, 0,
            CASE status WHEN 'cancelled' THEN 107880 ELSE 0 END, 'cus_Past' || number, 'pm_1Past' || number
        FROM stay""",
    "payments": """
        INSERT INTO payments_payment (id, booking_id, kind, seq, amount_minor, currency, status, reason,
            created_at)
        OVERRIDING SYSTEM VALUE
        SELECT 2 * number + is_balance::int, number,
            CASE WHEN is_balance THEN 'balance' ELSE 'deposit' END, 1,
            CASE WHEN is_balance THEN 251720 ELSE 107880 END, 'mxn',
            CASE WHEN NOT is_balance OR status = 'completed' THEN 'paid'
                WHEN status = 'cancelled' THEN 'void' ELSE 'pending' END, '', at
        FROM stay, (VALUES (false), (true)) kind (is_balance)""",
    "attempts": """
        INSERT INTO payments_paymentattempt (id, payment_id, n, channel, state, amount_minor, currency, key,
            stripe_customer_id, stripe_payment_method_id, base_url, stripe_intent_id, stripe_session_id,
            session_url, decline_code, proof, protocol_version, check_at, checks, created_at,
            updated_at)
        OVERRIDING SYSTEM VALUE
        SELECT id, id, 1, CASE kind WHEN 'deposit' THEN 'checkout' ELSE 'off_session' END, 'succeeded',
            amount_minor, 'mxn', gen_random_uuid(), 'cus_Past' || booking_id, 'pm_1Past' || booking_id,
            'https://reyes.example', 'pi_3Past' || lpad(id::text, 16, '0'),
            CASE kind WHEN 'deposit' THEN 'cs_test_a1Past' || lpad(id::text, 16, '0') END, '', '', '', 1,
            created_at, 0, created_at, created_at
        FROM payments_payment WHERE status = 'paid'""",
    "refunds": """
        INSERT INTO payments_refund (attempt_id, amount_minor, currency, reason, state, key, stripe_refund_id,
            failure, check_at, checks, created_at, updated_at)
        SELECT 2 * number, 107880, 'mxn', 'cancellation', 'succeeded', gen_random_uuid(),
            're_3Past' || number, '', at, 0, at, at
        FROM stay WHERE status = 'cancelled'""",
    "ledger": """
        INSERT INTO payments_ledgertransfer (booking_id, source_type, source_id, debit, credit, amount_minor,
            currency, posted_at)
        SELECT number, source_type, source_id, debit, credit, amount_minor, 'mxn', at
        FROM stay, LATERAL (
            SELECT 'quote', number || ':' || name, 'receivable', name, minor
            FROM (VALUES ('lodging', 300000), ('cleaning', 10000), ('tax', 49600)) line (name, minor)
            UNION ALL
            SELECT 'payment_intent', stripe_intent_id, 'stripe', 'receivable', amount_minor
            FROM payments_paymentattempt WHERE id IN (2 * number, 2 * number + 1)
            UNION ALL
            SELECT 'cancellation', number || ':' || name, name, 'receivable', minor
            FROM (VALUES ('lodging', 300000), ('cleaning', 10000), ('tax', 49600)) line (name, minor)
            WHERE status = 'cancelled'
            UNION ALL
            SELECT 'refund', 're_3Past' || number, 'receivable', 'stripe', 107880 WHERE status = 'cancelled'
        ) posting (source_type, source_id, debit, credit, amount_minor)""",
    "e-mails": """
        INSERT INTO payments_guestemail (booking_id, payment_id, kind, base_url, created_at, sent_at, facts)
        SELECT booking_id, id, CASE kind WHEN 'deposit' THEN 'confirmed' ELSE 'receipt' END,
            'https://reyes.example', created_at, created_at, '{}'
        FROM payments_payment WHERE status = 'paid'""",
}


def write_past_stays(count: int) -> None:
    """Write so many stays into an empty database, and let the planner know of them."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL work_mem = '256MB'")
        for statement in _STATEMENTS.values():
            cursor.execute(statement, {"count": count, "homes": min(count, _HOMES)})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
