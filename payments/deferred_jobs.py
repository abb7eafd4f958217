"""Jobs that are deferred from below ``tasks.py``, in the transaction of their cause, by their frozen names.

The job that charges a booking is deferred, moved and cancelled here; a guest's e-mail is asked for here and
sent once by its job. A test holds names and tasks together.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bookings.models import Booking, Quote
from payments.email_facts import take_facts
from payments.models import GuestEmail, Payment, Refund
from payments.policies import PaymentKind
from procrastinate_tasks import Call, cancel, defer, defer_many


def schedule(*, booking: Booking, base_url: str) -> None:
    """Charge the balance at the instant it is due."""
    defer(
        CHARGE_BALANCE,
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
        CHARGE_PAYMENT,
        (
            Call(
                args={"payment_id": payment_id, "base_url": base_url},
                queueing_lock=f"charge-payment:{payment_id}",
            )
            for payment_id in payment_ids
        ),
    )


def charge_at_once(*, payment: Payment, base_url: str) -> int | None:
    """Charge a payment as soon as a worker is free. Returns the job, ``None`` when one waits already."""
    if payment.kind == PaymentKind.BALANCE:
        args, lock = _arguments(payment.booking_id, base_url), _lock(payment.booking_id)
        return defer(CHARGE_BALANCE, args, queueing_lock=lock)
    args = {"payment_id": payment.pk, "base_url": base_url}
    return defer(CHARGE_PAYMENT, args, queueing_lock=f"charge-payment:{payment.pk}")


def charge_many_now(*, booking_ids: Iterable[int], base_url: str) -> int:
    """Charge the balances of many bookings, passing over those that wait. Returns how many are new."""
    return defer_many(
        CHARGE_BALANCE,
        (
            Call(args=_arguments(booking_id, base_url), queueing_lock=_lock(booking_id))
            for booking_id in booking_ids
        ),
    )


def _arguments(booking_id: int, base_url: str) -> dict[str, object]:
    return {"booking_id": booking_id, "base_url": base_url}


def _lock(booking_id: int) -> str:
    return f"charge:{booking_id}"


def request_email(
    *,
    kind: GuestEmail.Kind,
    booking: Booking,
    base_url: str,
    now: datetime,
    payment: Payment | None = None,
    refund: Refund | None = None,
    version: int = 0,
    replaced: Quote | None = None,
) -> bool:
    """Have an e-mail sent once this transaction commits, with the facts as they are now.

    Args:
        version: what of its subject it tells of; each is told once.
        replaced: the quote that a change of dates has just replaced.

    Returns:
        Whether it was not asked for before.
    """
    email, is_new = GuestEmail.objects.get_or_create(
        booking=booking,
        kind=kind,
        payment=payment,
        refund=refund,
        version=version,
        defaults={
            "base_url": base_url,
            "created_at": now,
            "facts": lambda: take_facts(
                booking=booking,
                payment=payment,
                refund=refund,
                replaced=replaced,
                for_arrival=kind == GuestEmail.Kind.ARRIVAL,
            ).as_json(),
        },
    )
    if is_new:
        defer(
            SEND_GUEST_EMAIL,
            {"email_id": email.pk},
            queueing_lock=f"email:{email.pk}",
            priority=0 if kind in _BY_THE_THOUSAND else None,
        )
    return is_new


def withhold_email(
    *, kind: GuestEmail.Kind, booking: Booking, payment: Payment, base_url: str, now: datetime
) -> None:
    """Have an e-mail sent by nobody, now or when it is requested later: its guest has it already."""
    GuestEmail.objects.get_or_create(
        booking=booking,
        kind=kind,
        payment=payment,
        refund=None,
        version=0,
        defaults={
            "base_url": base_url,
            "created_at": now,
            "dropped_at": now,
            "facts": lambda: take_facts(booking=booking, payment=payment).as_json(),
        },
    )


def receipt_of(payment: Payment) -> GuestEmail.Kind:
    """Return the e-mail that tells a guest that a payment was taken."""
    is_deposit = payment.kind == PaymentKind.DEPOSIT
    return GuestEmail.Kind.CONFIRMED if is_deposit else GuestEmail.Kind.RECEIPT


def send_access_link(*, link_id: int) -> None:
    """Have a link to a guest's bookings sent once this transaction commits, before other e-mails."""
    defer(SEND_ACCESS_LINK, {"link_id": link_id}, queueing_lock=f"access-link:{link_id}")


# After how long Stripe is asked about an open payment page, once and again, without waiting for its webhook.
LOOKS_AT_A_PAGE = tuple(timedelta(minutes=m) for m in (1, 1, 2, 4, 8, 16))


def look_at_page(*, attempt_id: int, looks: int, now: datetime) -> None:
    """Have Stripe asked about an open payment page, the later the more looks there were; then no more."""
    if looks >= len(LOOKS_AT_A_PAGE):
        return
    defer(
        LOOK_AT_PAGE,
        {"attempt_id": attempt_id, "looks": looks},
        schedule_at=now + LOOKS_AT_A_PAGE[looks],
        queueing_lock=f"look:{attempt_id}",
    )


def look_at_page_now(*, attempt_id: int) -> None:
    """Have Stripe asked about an open payment page as soon as a worker is free."""
    defer(LOOK_AT_PAGE, {"attempt_id": attempt_id}, queueing_lock=f"look-now:{attempt_id}")


def look_again(*, at: datetime) -> None:
    """Have the janitor look before its next minute; one such turn waits at most, and none hangs on it."""
    defer(RESOLVE_UNFINISHED, schedule_at=at, queueing_lock="look-again")


def end_hold(*, booking_id: int, at: datetime) -> None:
    """End a hold at its hour, unless it is paid or being paid then."""
    defer(END_HOLD, {"booking_id": booking_id}, schedule_at=at, queueing_lock=f"hold:{booking_id}")


def end_change(*, change_id: int, at: datetime) -> None:
    """Give up dates that are held at their hour, unless they are paid for or being paid for then."""
    defer(END_CHANGE, {"change_id": change_id}, schedule_at=at, queueing_lock=f"change:{change_id}")


# The queue of everything that moves money: pausing it stops every charge, also of jobs that run already.
QUEUE = "payments"

CHARGE_BALANCE = "payments.tasks.charge_balance_for_booking"


CHARGE_PAYMENT = "payments.tasks.charge_payment"


SETTLE_CANCELLATION = "payments.tasks.settle_cancellation"


REFUND_PAYMENT = "payments.tasks.refund_payment"


APPLY_STRIPE_EVENT = "payments.tasks.apply_stripe_event"


SEND_GUEST_EMAIL = "payments.tasks.send_guest_email"


SEND_ACCESS_LINK = "payments.tasks.send_access_link"


LOOK_AT_PAGE = "payments.tasks.look_at_payment_page"


RESOLVE_UNFINISHED = "payments.tasks.resolve_unfinished_payments"


END_HOLD = "payments.tasks.end_unpaid_hold"


END_CHANGE = "payments.tasks.end_unpaid_change"

# Before the charges of balances: a guest who has just paid looks at the page until it says so. The tasks have
# it, so that what is found again and deferred anew has it too.
GUEST_WAITS_PRIORITY = 20

# What watches over money comes first: a day's balances, due at once, keep every worker busy for half an hour.
WATCH_PRIORITY = 30

# E-mails that no guest waits for, as many as there are balances: after the charges.
_BY_THE_THOUSAND = (GuestEmail.Kind.RECEIPT, GuestEmail.Kind.BALANCE_SOON, GuestEmail.Kind.ARRIVAL)

DEFERRED_BY_NAME = (
    CHARGE_BALANCE,
    CHARGE_PAYMENT,
    SETTLE_CANCELLATION,
    REFUND_PAYMENT,
    APPLY_STRIPE_EVENT,
    SEND_GUEST_EMAIL,
    SEND_ACCESS_LINK,
    LOOK_AT_PAGE,
    RESOLVE_UNFINISHED,
    END_HOLD,
    END_CHANGE,
)
