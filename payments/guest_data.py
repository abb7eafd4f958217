"""What we know of a guest, handed over or erased on request; what was paid stays, as the tax office wants."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from bookings.models import Booking, BookingStatus
from payments.models import AccessLink, BookingAccount, GuestEmail, Payment, Refund

ERASED_NAME = "–"
ERASED_EMAIL = "erased@example.invalid"
_OVER = (BookingStatus.COMPLETED, BookingStatus.CANCELLED, BookingStatus.EXPIRED)


def bookings_of(email: str) -> QuerySet[Booking]:
    """Return every booking of an address, however it was typed; none of those that are erased."""
    return Booking.objects.filter(guest_email__iexact=email).exclude(guest_email=ERASED_EMAIL).order_by("id")


def export_guest(email: str) -> dict[str, object]:
    """Return what we hold of the guest of an address, as JSON can be written."""
    links = AccessLink.objects.filter(email__iexact=email).order_by("id")
    return {
        "email": email,
        "bookings": [_describe(booking) for booking in bookings_of(email).select_related("quote__home")],
        "links_asked_for": list(links.values("email", "language", "created_at", "sent_at")),
    }


@transaction.atomic
def erase_guest(*, email: str, now: datetime) -> list[Booking]:
    """Take a guest's name, address and telephone off all stays that are over and owe nothing.

    Returns:
        The bookings that were erased; all of a guest's, or none while one of them still goes on.
    """
    found = list(bookings_of(email).select_for_update(of=("self",)))
    if not found or any(_goes_on(booking) for booking in found):
        return []
    chosen = [booking.pk for booking in found]
    Booking.objects.filter(pk__in=chosen).update(
        guest_name=ERASED_NAME, guest_email=ERASED_EMAIL, guest_phone="", held_by=""
    )
    emails = GuestEmail.objects.filter(booking__in=chosen)
    emails.filter(sent_at=None, dropped_at=None).update(dropped_at=now)
    emails.update(facts={})
    AccessLink.objects.filter(email__iexact=email).delete()
    return found


def _goes_on(booking: Booking) -> bool:
    account = BookingAccount.objects.filter(booking=booking).first()
    if booking.status not in _OVER or booking.checkout_open:
        return True
    if account is None:
        return False
    # Of a hold that was never paid nothing is due, whatever its account says.
    rest = account.paid_minor if booking.status == BookingStatus.EXPIRED else account.due_minor
    return bool(rest or account.in_flight_minor or account.refunding_minor or account.disputed_minor)


def _describe(booking: Booking) -> dict[str, object]:
    quote = booking.quote
    of_booking = Q(attempt__payment__booking=booking)
    return {
        "folio": booking.folio,
        "status": booking.status,
        "home": quote.home.name,
        "check_in": quote.check_in,
        "check_out": quote.check_out,
        "guests": quote.guests,
        "total_minor": quote.total_minor,
        "name": booking.guest_name,
        "email": booking.guest_email,
        "phone": booking.guest_phone,
        "language": booking.language,
        "created_at": booking.created_at,
        "payments": _rows(Payment.objects.filter(booking=booking), "kind", "status", "amount_minor"),
        "refunds": _rows(Refund.objects.filter(of_booking), "state", "amount_minor", "created_at"),
        "emails": _rows(GuestEmail.objects.filter(booking=booking), "kind", "created_at", "sent_at", "facts"),
        "consent": _consent(booking),
    }


def _rows(rows: QuerySet[Payment] | QuerySet[Refund] | QuerySet[GuestEmail], *names: str) -> Iterable[object]:
    return list(rows.order_by("id").values(*names))


def _consent(booking: Booking) -> dict[str, object] | None:
    consent = getattr(booking, "consent", None)
    if consent is None:
        return None
    return {
        "terms_version": consent.terms_version,
        "privacy_version": consent.privacy_version,
        "accepted_at": consent.accepted_at,
    }
