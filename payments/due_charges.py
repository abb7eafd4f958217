"""The job that charges a booking: deferred, moved and cancelled in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Iterable

from bookings.models import Booking
from payments import task_names
from payments.models import Payment
from procrastinate_tasks.deferring import Call, cancel, defer, defer_many


def schedule(*, booking: Booking, base_url: str) -> None:
    """Charge the balance at the instant it is due."""
    defer(
        task_names.CHARGE_BALANCE,
        _arguments(booking.pk, base_url),
        schedule_at=booking.balance_due_at,
        queueing_lock=_lock(booking.pk),
    )


def move(*, booking: Booking, base_url: str) -> None:
    """Charge the balance at its new instant instead of the old one."""
    unschedule(booking=booking)
    schedule(booking=booking, base_url=base_url)


def unschedule(*, booking: Booking) -> None:
    """Do not charge the balance."""
    cancel(queueing_lock=_lock(booking.pk))


def charge_now(*, payment: Payment, base_url: str) -> None:
    """Charge a payment that is no balance as soon as a worker is free."""
    charge_payments_now(payment_ids=[payment.pk], base_url=base_url)


def charge_payments_now(*, payment_ids: Iterable[int], base_url: str) -> int:
    """Charge payments that are no balances, passing over those that wait. Returns how many are new."""
    return defer_many(
        task_names.CHARGE_PAYMENT,
        (
            Call(
                args={"payment_id": payment_id, "base_url": base_url},
                queueing_lock=f"charge-payment:{payment_id}",
            )
            for payment_id in payment_ids
        ),
    )


def charge_many_now(*, booking_ids: Iterable[int], base_url: str) -> int:
    """Charge the balances of many bookings, passing over those that wait. Returns how many are new."""
    return defer_many(
        task_names.CHARGE_BALANCE,
        (
            Call(args=_arguments(booking_id, base_url), queueing_lock=_lock(booking_id))
            for booking_id in booking_ids
        ),
    )


def _arguments(booking_id: int, base_url: str) -> dict[str, object]:
    return {"booking_id": booking_id, "base_url": base_url}


def _lock(booking_id: int) -> str:
    return f"charge:{booking_id}"
