"""Past stays whose balance is due, with saved cards at the local Stripe and their charges deferred.

Written by SQL, a hundred at a time: through the site's pages they would cost more than the charges that are
measured. Every rule of the database holds; the account owes what the balance asks for.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg

from reyes_estancias.local_stripe.control import Control, SeededCustomer

BASE_URL = "https://reyes.example"
CHARGE_TASK = "payments.tasks.charge_balance_for_booking"
BALANCE_MINOR = 210_000

_HOME = """
INSERT INTO bookings_property (name, slug, town, summary, timezone, capacity, nightly_rate_minor,
    cleaning_fee_minor, tax_bps, min_nights, max_nights, currency, is_listed)
VALUES ('Casa Simulacro', %(slug)s, 'Tulum', '', 'America/Mexico_City', 4, 105000, 0, 0, 2, 30, 'mxn', false)
RETURNING id
"""

# Each stay has two nights of its own, further and further in the future: the calendar is not what is tried.
_STAYS = """
WITH stay AS (
    SELECT public_id, customer, card, number,
        daterange(date '2000-01-01' + 2 * number, date '2000-01-03' + 2 * number) AS nights
    FROM unnest(%(public_ids)s::uuid[], %(customers)s::text[], %(cards)s::text[], %(numbers)s::int[])
        AS given (public_id, customer, card, number)
),
quote AS (
    INSERT INTO bookings_quote (home_id, nights, guests, nightly_rate_minor, tax_bps, lodging_minor,
        discount_minor, cleaning_minor, tax_minor, total_minor, deposit_minor, currency, created_at)
    SELECT %(home)s, nights, 2, 105000, 0, 210000, 0, 0, 0, 210000, 0, 'mxn', now() FROM stay
    RETURNING id, nights
),
booking AS (
    INSERT INTO bookings_booking (public_id, quote_id, status, guest_name, guest_email, guest_phone,
        arrival_at, departure_at, balance_due_at, hold_expires_at, checkout_open, created_at, confirmed_at)
    SELECT public_id, quote.id, 'confirmed', 'Lucía', 'lucia@correo.example', '', now() - interval '4 days',
        now() - interval '2 days', now() - interval '2 days', now() - interval '9 days', false,
        now() - interval '9 days', now() - interval '9 days'
    FROM quote JOIN stay USING (nights)
    RETURNING id, public_id, quote_id
),
night_block AS (
    INSERT INTO bookings_nightblock (home_id, booking_id, nights, active, created_at, release_proof)
    SELECT %(home)s, booking.id, nights, true, now(), '' FROM booking JOIN stay USING (public_id)
),
account AS (
    INSERT INTO payments_bookingaccount (booking_id, owed_minor, in_flight_minor, captured_minor,
        refunding_minor, refunded_minor, stripe_customer_id, stripe_payment_method_id)
    SELECT booking.id, 0, 0, 0, 0, 0, customer, card FROM booking JOIN stay USING (public_id)
),
payment AS (
    INSERT INTO payments_payment (booking_id, kind, seq, amount_minor, currency, status, reason, created_at)
    SELECT id, 'balance', 1, 210000, 'mxn', 'pending', '', now() FROM booking
)
SELECT id, quote_id FROM booking
"""

# A statement of its own: a trigger adds it up on the account, which the first statement must have written.
_BILLS = """
INSERT INTO payments_ledgertransfer
    (booking_id, source_type, source_id, debit, credit, amount_minor, currency, posted_at)
SELECT booking_id, 'quote', quote_id || ':lodging', 'receivable', 'lodging', 210000, 'mxn', now()
FROM unnest(%(bookings)s::bigint[], %(quotes)s::bigint[]) AS given (booking_id, quote_id)
"""

# What the site's own defer writes, in the same transaction; the n-th waits n times the pause.
_JOBS = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args, scheduled_at)
SELECT 'payments', %(task)s, 10, 'charge:' || booking_id,
    jsonb_build_object('booking_id', booking_id, 'base_url', %(base_url)s::text),
    CASE WHEN %(pause)s::interval > interval '0' THEN now() + number * %(pause)s::interval END
FROM unnest(%(bookings)s::bigint[]) WITH ORDINALITY AS given (booking_id, number)
"""


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay as we know it without asking the database."""

    public_id: uuid.UUID
    customer: str


@dataclass(slots=True)
class StayWriter:
    """Writes due stays in a home of its own."""

    control: Control
    home: int
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def saved_cards(self, count: int) -> list[SeededCustomer]:
        """Make guests with a saved card at the local Stripe: one for each stay."""
        return [self.control.seed_customer(email="lucia@correo.example") for _ in range(count)]

    def write(
        self,
        connection: psycopg.Connection,
        cards: Sequence[SeededCustomer],
        *,
        pause: timedelta = timedelta(0),
        note: Callable[[list[Stay]], None] = lambda _: None,
    ) -> list[Stay]:
        """Write one stay for each card, and defer its charge, in one transaction.

        Args:
            pause: the time between the instants at which the charges become due.
            note: is given the stays before anything is written.

        Raises:
            psycopg.Error: whether it was committed is not known.
        """
        stays = [Stay(uuid.uuid4(), card.customer) for card in cards]
        note(stays)
        given = {
            "home": self.home,
            "public_ids": [stay.public_id for stay in stays],
            "customers": [card.customer for card in cards],
            "cards": [card.payment_method for card in cards],
            "numbers": list(itertools.islice(self.numbers, len(cards))),
        }
        with connection.transaction():
            made = connection.execute(_STAYS, given).fetchall()
            bookings, quotes = [row[0] for row in made], [row[1] for row in made]
            connection.execute(_BILLS, {"bookings": bookings, "quotes": quotes})
            connection.execute(
                _JOBS,
                {"bookings": bookings, "task": CHARGE_TASK, "base_url": BASE_URL, "pause": pause},
            )
        return stays


def make_home(connection: psycopg.Connection, *, slug: str) -> int:
    """Make an unlisted home for the stays, and return its id."""
    row = connection.execute(_HOME, {"slug": slug}).fetchone()
    if row is None:
        raise AssertionError("INSERT … RETURNING returns a row")
    return int(row[0])
