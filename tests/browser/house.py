"""A house in every state, and the address of every page that shows some of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from django.contrib import admin
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from bookings.models import Booking, Property, PropertyPhoto
from bookings.photo_files import Photo, read_photo, store_photo
from payments.date_changes import change_dates, preview_change
from payments.ledger import dunning, refunds
from payments.models import AccessLink, PaymentAttempt
from payments.protocols.cancellation import settle_cancellation
from payments.services import request_cancellation
from procrastinate_tasks.models import Job
from procrastinate_tasks.viewer import navigation
from tests.browser import stage
from tests.factories import BASE_URL, balance_of, make_confirmed_booking, make_hold, make_property
from tests.gateways import FakeGateway
from tests.pictures import draw, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A page: ``name`` is for file names and messages; ``is_private`` asks for staff."""

    name: str
    path: str
    is_private: bool = True


def furnish() -> tuple[Address, ...]:
    """Fill the house and its queue, and return every page there is to see."""
    home = make_property(name="Casa Caracol", town="Tulum", nightly_rate_minor=2_850_000)  # sums are wide
    for position in range(6):
        photo = PropertyPhoto(home=home, alt=f"La terraza y el mar, vista {position + 1}", position=position)
        store_photo(photo, _photo(position))
    bookings = _book(home)
    stage.fill_the_queue()
    office = _office_pages(home, bookings["confirmed"])
    return (*_guest_pages(home, bookings), *_queue_pages(), *_job_pages(), *_admin_pages(), *office)


@cache  # a second of processor time each, and every module furnishes anew
def _photo(seed: int) -> Photo:
    return read_photo(encode(draw(2000, 1300, seed=seed)))


def _book(home: Property) -> dict[str, Booking]:
    now, today = timezone.now(), timezone.localdate()
    gateway = FakeGateway()
    bookings = {"held": make_hold(now=now, home=home, check_in=today + timedelta(days=3))}
    for days, name in enumerate(("confirmed", "declined", "cancelled", "refunded", "changing"), start=1):
        check_in = today + timedelta(days=20 * days)
        bookings[name] = make_confirmed_booking(now=now, home=home, check_in=check_in)
    declined = balance_of(bookings["declined"])
    dunning.note_decline(payment=declined, code="insufficient_funds", base_url=BASE_URL, now=now)
    deposit = PaymentAttempt.objects.get(payment__booking=bookings["refunded"])
    by_hand = gateway.create_refund(intent_id="", amount_minor=50_000, refund_key="")
    refunds.book_refund(attempt_id=deposit.pk, answer=by_hand, now=now)
    _ask_for_dearer_dates(bookings["changing"], now=now)
    request_cancellation(booking=bookings["cancelled"], base_url=BASE_URL, now=now)
    settle_cancellation(
        booking_id=bookings["cancelled"].pk,
        base_url=BASE_URL,
        gateway=gateway,  # type: ignore[arg-type]
        now=now,
    )
    return bookings


def _ask_for_dearer_dates(booking: Booking, *, now: datetime) -> None:
    """Hold dates that cost more, until the guest has paid the difference."""
    dates = {"check_in": booking.quote.check_in, "check_out": booking.quote.check_out + timedelta(days=2)}
    preview = preview_change(booking=booking, **dates, now=now)
    change_dates(
        booking=booking,
        **dates,
        base_url=BASE_URL,
        agreed_charge_minor=preview.money.charge_minor,
        now=now,
    )


def _guest_pages(home: Property, bookings: dict[str, Booking]) -> list[Address]:
    property_page = reverse("property", args=[home.slug])
    pages = {"home": "/", "property": property_page, "missing": "/nada/"}
    pages |= {f"property-{name}": property_page + _nights(bookings[name], days=days) for name, days in _ASKED}
    pages |= {"open-access": _open_access().get_absolute_url()}
    pages |= {name: reverse(name) for name in ("my_bookings", "terms", "privacy", "cookies")}
    pages |= {f"booking-{name}": booking.get_absolute_url() for name, booking in bookings.items()}
    confirmed = bookings["confirmed"].get_absolute_url()
    pages |= {"change-dates": f"{confirmed}fechas/", "cancel": f"{confirmed}cancelar/"}
    pages |= {"change-dates-seen": f"{confirmed}fechas/{_nights(bookings['confirmed'], more=2)}"}
    return [Address(name=name, path=path, is_private=False) for name, path in pages.items()]


# Nights of a home that can be had, and nights that are somebody's.
_ASKED = (("confirmed", 5), ("held", 0))


def _nights(booking: Booking, *, days: int = 0, more: int = 0) -> str:
    """Return the nights of a booking, some days later or more of them, as the query of an address."""
    arrival, departure = (
        day + timedelta(days=days) for day in (booking.quote.check_in, booking.quote.check_out)
    )
    return f"?check_in={arrival}&check_out={departure + timedelta(days=more)}&guests=2"


def _open_access() -> AccessLink:
    now = timezone.now()
    return AccessLink.objects.create(
        email="lucia@correo.example",
        language="es-mx",
        base_url=BASE_URL,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


def _queue_pages() -> list[Address]:
    return [
        Address(name=entry.url_name.replace("_", "-"), path=reverse(f"admin:{entry.url_name}"))
        for entry in navigation.ENTRIES
    ]


def _job_pages() -> list[Address]:
    """One job of each status, the latest."""
    latest = Job.objects.order_by("status", "-id").distinct("status")
    return [
        Address(name=f"job-{job.status}", path=reverse("admin:queue_job", args=[job.pk])) for job in latest
    ]


def _office_pages(home: Property, booking: Booking) -> list[Address]:
    """The pages of the admin that are no list and no row."""
    pages = {
        "occupancy": reverse("admin:bookings_property_occupancy"),
        "calendar": reverse("admin:bookings_property_calendar", args=[home.pk]),
        "explanation": reverse("admin:bookings_booking_explain", args=[booking.pk]),
        "email-samples": reverse("admin:payments_guestemail_samples"),
        "email-sample": reverse("admin:payments_sample_email", args=["arrival", "es-mx"]),
    }
    return [Address(name=f"office-{name}", path=path) for name, path in pages.items()]


def _admin_pages() -> list[Address]:
    pages = [Address(name="admin", path=reverse("admin:index"))]
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label):
        meta = model._meta
        try:
            pages.append(
                Address(
                    name=f"admin-{meta.model_name}",
                    path=reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"),
                )
            )
        except NoReverseMatch:
            continue
        row = model._default_manager.first()
        if row is not None:
            pages.append(
                Address(
                    name=f"admin-{meta.model_name}-one",
                    path=reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]),
                )
            )
    return pages
