"""E-mails to guests: asked for in the transaction of their cause, sent once by a job."""

from __future__ import annotations

from datetime import datetime

from bookings.models import Booking
from payments import task_names
from payments.models import GuestEmail, Payment, Refund
from procrastinate_tasks.deferring import defer


def request_email(
    *,
    kind: GuestEmail.Kind,
    booking: Booking,
    base_url: str,
    now: datetime,
    payment: Payment | None = None,
    refund: Refund | None = None,
) -> None:
    """Have an e-mail sent once this transaction commits; asking again for the same one does nothing."""
    email, is_new = GuestEmail.objects.get_or_create(
        booking=booking,
        kind=kind,
        payment=payment,
        refund=refund,
        defaults={"base_url": base_url, "created_at": now},
    )
    if is_new:
        defer(task_names.SEND_GUEST_EMAIL, {"email_id": email.pk}, queueing_lock=f"email:{email.pk}")
