"""What was paid for a booking, how many rows wait; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from bookings.models import Booking, BookingStatus
from bookings.plain_sql import columns_of, models_of, read_rows
from payments.models import BookingAccount, Payment, PaymentAttempt, Refund
from payments.policies import RefundState

Row = TypeVar("Row", bound=Model)

_MONEY = """
SELECT {account}, {payment}, {attempt}, {refund}
FROM bookings_booking booking
LEFT JOIN payments_bookingaccount account ON account.booking_id = booking.id
LEFT JOIN payments_payment payment ON payment.booking_id = booking.id AND payment.status <> 'void'
LEFT JOIN payments_paymentattempt attempt ON attempt.payment_id = payment.id
LEFT JOIN payments_refund refund ON refund.attempt_id = attempt.id
WHERE booking.id = %s
ORDER BY payment.id, attempt.n, refund.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingMoney:
    """What a booking owes, how it was tried and what went back, each the oldest first; nothing void.

    ``paid_minor`` is what was paid and is not on its way back, nor lost to a bank.
    """

    paid_minor: int
    payments: list[Payment]
    attempts: list[PaymentAttempt]
    refunds: list[Refund]


def read_money(booking: Booking) -> BookingMoney:
    """Read the money of a booking, all of it with one statement."""
    models = (BookingAccount, Payment, PaymentAttempt, Refund)
    found = [models_of(row, *models) for row in read_rows(_money(), (booking.pk,))]
    accounts, payments, attempts, refunds = (_distinct(rows) for rows in zip(*found, strict=True))
    for payment in payments:
        payment.booking = booking
    return BookingMoney(
        paid_minor=max([0, *(account.paid_minor for account in accounts)]),
        payments=payments,
        attempts=attempts,
        refunds=[refund for refund in refunds if refund.state != RefundState.VOID],
    )


@cache
def _money() -> str:
    tables = {"account": BookingAccount, "payment": Payment, "attempt": PaymentAttempt, "refund": Refund}
    return _MONEY.format(**{table: columns_of(model, table) for table, model in tables.items()})


def _distinct(rows: Iterable[Row]) -> list[Row]:
    """Return each row that is there once, in the order in which they first appear."""
    return list({row.pk: row for row in rows if row.pk is not None}.values())


def paid_for(booking: Booking) -> int:
    """Return what was paid for a booking and is not on its way back, nor lost to a bank."""
    account = BookingAccount.objects.filter(booking=booking).first()
    return max(account.paid_minor, 0) if account else 0


def can_change(booking: Booking) -> bool:
    return booking.status == BookingStatus.CONFIRMED and booking.cancel_requested_at is None


def can_cancel(booking: Booking) -> bool:
    is_alive = booking.status in (BookingStatus.PENDING, BookingStatus.CONFIRMED)
    return is_alive and booking.cancel_requested_at is None


def count_each(found: Sequence[QuerySet[Any]]) -> list[int]:
    """Return how many rows each of them has, asked in one statement."""
    asked = [rows.order_by().values("pk").query.sql_with_params() for rows in found]
    counts = ", ".join(f"(SELECT count(*) FROM ({sql}) AS counted)" for sql, _params in asked)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", [param for _sql, params in asked for param in params])
        return list(cursor.fetchone())
