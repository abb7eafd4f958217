"""What a term means that somebody searches for in the job viewer: a booking, an id of Stripe's, a guest."""

from __future__ import annotations

import re
from collections.abc import Collection
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from bookings.models import Booking
from bookings.references import read_reference
from payments.models import StripeEvent
from payments.panels import job_subjects
from procrastinate_tasks.jobs.descriptions import JobSearch

_MOST_BOOKINGS = 20
_LARGEST_ID = 2**63 - 1
_STRIPE_OBJECT = re.compile(r"(?:pi|cs|re)_\w+")


def find_jobs(term: str) -> JobSearch | None:
    """Return which jobs a term means, ``None`` for a term that is nothing of ours.

    A number is that of a job too: the viewer adds the job to those of the booking.
    """
    term = term.strip()
    if term.isascii() and term.isdecimal():
        return _of_number(term)
    if term.startswith("evt_"):
        return _of_event(term)
    if _STRIPE_OBJECT.fullmatch(term):
        return _of_object(term)
    if _is_email(term):
        return _of_guest(term)
    named = read_reference(term)
    return _of_reference(named, term) if named else None


def _of_number(number: str) -> JobSearch | None:
    booking = Booking.objects.filter(pk=min(int(number), _LARGEST_ID)).first()
    if booking is None:
        return None
    label = _("job %(id)s, and the jobs of booking %(folio)s")
    return _of_bookings([booking.pk], label % {"id": number, "folio": booking.folio})


def _of_event(event_id: str) -> JobSearch:
    return JobSearch(label=_("Stripe's event %(id)s") % {"id": event_id}, arguments={"event_id": (event_id,)})


def _of_object(object_id: str) -> JobSearch:
    payment = job_subjects.find_owners([object_id]).get(object_id)
    if payment is not None:
        label = _("booking %(folio)s, by Stripe's %(id)s")
        return _of_bookings([payment.booking_id], label % {"folio": payment.booking.folio, "id": object_id})
    events = StripeEvent.objects.filter(object_id=object_id).values_list("pk", flat=True)
    return JobSearch(
        label=_("Stripe's %(id)s, which belongs to no booking") % {"id": object_id},
        arguments={"event_id": tuple(events)},
    )


def _of_guest(email: str) -> JobSearch:
    bookings = Booking.objects.filter(guest_email__iexact=email).order_by("-created_at")
    ids = list(bookings.values_list("pk", flat=True)[:_MOST_BOOKINGS])
    return _of_bookings(ids, _("the latest bookings of this guest"))


def _of_reference(named: tuple[UUID, UUID], term: str) -> JobSearch:
    bookings = list(Booking.objects.filter(public_id__range=named)[:_MOST_BOOKINGS])
    label = ", ".join(booking.folio for booking in bookings) or term
    return _of_bookings([booking.pk for booking in bookings], _("booking %(folio)s") % {"folio": label})


def _of_bookings(booking_ids: Collection[int], label: str) -> JobSearch:
    references = job_subjects.references_of(booking_ids) if booking_ids else {}
    return JobSearch(label=label, job_ids=job_subjects.find_job_ids(references))


def _is_email(term: str) -> bool:
    try:
        validate_email(term)
    except ValidationError:
        return False
    return True
