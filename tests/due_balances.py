"""Thousands of bookings whose balance is due, written by SQL: the services would take minutes."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from bookings.models import Property
from tests.factories import make_property

# Each stay has two nights of its own; only what a scan and a charge read is made.
_SQL = """
WITH stay AS (
    SELECT daterange(first_night, first_night + 2) AS nights
    FROM generate_series(0, %(count)s - 1) AS number,
        LATERAL (SELECT date '2027-01-01' + 2 * number) AS arrival (first_night)
),
quote AS (
    INSERT INTO bookings_quote (home_id, nights, guests, nightly_rate_minor, tax_bps, lodging_minor,
        discount_minor, cleaning_minor, tax_minor, total_minor, deposit_minor, currency, created_at)
    SELECT %(home)s, nights, 2, 150000, 0, 300000, 0, 0, 0, 300000, 90000, 'mxn', %(now)s FROM stay
    RETURNING id, nights
),
booking AS (
    INSERT INTO bookings_booking (public_id, quote_id, status, guest_name, guest_email, guest_phone,
        arrival_at, departure_at, balance_due_at, hold_expires_at, checkout_open, created_at, confirmed_at)
    SELECT gen_random_uuid(), id, 'confirmed', 'Lucía', 'lucia@correo.example', '',
        %(now)s - interval '3 days', %(now)s - interval '1 day', %(now)s - interval '1 day',
        %(now)s - interval '9 days', false, %(now)s - interval '9 days', %(now)s - interval '9 days'
    FROM quote
    RETURNING id, quote_id
),
night_block AS (
    INSERT INTO bookings_nightblock (home_id, booking_id, nights, active, created_at, release_proof)
    SELECT %(home)s, booking.id, quote.nights, true, %(now)s, ''
    FROM booking JOIN quote ON quote.id = booking.quote_id
)
INSERT INTO payments_payment (booking_id, kind, seq, amount_minor, currency, status, reason, created_at)
SELECT id, 'balance', 1, 210000, 'mxn', 'pending', '', %(now)s FROM booking
"""


def make_due_balances(count: int, *, now: datetime) -> Property:
    """Make confirmed bookings whose balance fell due a day before ``now``, in a home of their own."""
    home = make_property()
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"count": count, "home": home.pk, "now": now})
        # The planner knows nothing yet of rows that this transaction has just written.
        cursor.execute("ANALYZE bookings_booking, bookings_quote, payments_payment")
    return home
