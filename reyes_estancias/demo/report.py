"""What the demo found, counted from the database and from the local Stripe's bank statement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from bookings.models import Booking
from bookings.money import format_pesos
from payments.models import Payment, PaymentAttempt
from payments.policies import PaymentKind, PaymentStatus
from reyes_estancias.local_stripe.statement import Movement, StatementLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the balances of the demo's bookings ended.

    Attributes:
        taken_minor: what the bank statement says was taken for these balances, in centavos.
        recorded_minor: what our own ledger says.
        charged_twice: bookings for whose balance the statement shows more than one charge.
    """

    charged: int
    declined: int
    waiting: int
    unfinished: int
    taken_minor: int
    recorded_minor: int
    charged_twice: int


def count_outcome(*, bookings: list[Booking], statement: list[StatementLine]) -> Outcome:
    """Compare our rows with the bank statement, which is written apart from everything we read."""
    balances = Payment.objects.filter(booking__in=bookings, kind=PaymentKind.BALANCE).exclude(
        status=PaymentStatus.VOID
    )
    statuses = Counter(balances.values_list("status", flat=True))
    booking_of = {
        str(key): booking_id
        for key, booking_id in PaymentAttempt.objects.filter(payment__in=balances).values_list(
            "key", "payment__booking_id"
        )
    }
    lines = [line for line in statement if line.metadata.get("attempt") in booking_of]
    charges = Counter(booking_of[line.metadata["attempt"]] for line in lines if line.kind is Movement.CHARGE)
    return Outcome(
        charged=statuses[PaymentStatus.PAID],
        declined=statuses[PaymentStatus.FAILED],
        waiting=statuses[PaymentStatus.REQUIRES_ACTION],
        unfinished=len(bookings) - sum(statuses[status] for status in ENDED),
        taken_minor=sum(line.taken for line in lines),
        recorded_minor=sum(
            payment.amount_minor for payment in balances if payment.status == PaymentStatus.PAID
        ),
        charged_twice=sum(count > 1 for count in charges.values()),
    )


ENDED = (PaymentStatus.PAID, PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)


def render_table(
    *, outcome: Outcome, took: timedelta, inline_each: timedelta, sample: int, concurrency: int
) -> str:
    """Return the table that the demo prints."""
    count = outcome.charged + outcome.declined + outcome.waiting
    inline = inline_each * count
    agrees = (
        "our ledger says the same"
        if outcome.taken_minor == outcome.recorded_minor
        else "OUR LEDGER DISAGREES"
    )
    rows = [
        ("Charged", str(outcome.charged), ""),
        ("Declined by the bank", str(outcome.declined), "the guest is e-mailed a payment link"),
        ("Waiting for the guest", str(outcome.waiting), "3-D Secure: the same link"),
        ("Taken, by the bank statement", format_pesos(outcome.taken_minor), agrees),
        ("Charged twice", str(outcome.charged_twice), "by the bank statement"),
        (
            "Time through the queue",
            f"{took.total_seconds():.1f} s",
            f"one worker process, {concurrency} charges at a time",
        ),
        (
            "Time one after another",
            f"{inline.total_seconds():.1f} s",
            f"estimated: {sample} of them took {inline_each.total_seconds():.2f} s each",
        ),
        ("Quicker by", f"{inline / took:.1f} ×", ""),
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"  {label:<{first}}  {value:>{second}}  {note}".rstrip() for label, value, note in rows)
