"""The pages a guest sees before there is a booking: the properties, and one property."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.generic import View

from bookings import policies, queries, quotes, services
from bookings.availability import Stay
from bookings.exceptions import StayRefused, StayUnavailable
from bookings.forms import ContactForm, SearchForm, StayForm
from bookings.models import Booking, Property
from bookings.property_page import describe_property
from bookings.responses import SeeOther

# Two equal forms of one guest that arrive within this time are one form sent twice.
TWICE = timedelta(minutes=2)
# What a guest typed about themselves, kept in their session while they look for other dates.
_CONTACT = "contact"


@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    """List the properties; with dates, which are free and for how much."""
    now = timezone.now()
    asked = request.GET if "guests" in request.GET else None
    form = SearchForm(asked, today=timezone.localdate(now), auto_id="%s")
    listings = quotes.list_homes(stay=form.stay, guests=form.guest_count, now=now)
    context = {"form": form, "stay": form.stay, "listings": listings}
    return render(request, "bookings/home.html", context)


class PropertyView(View):
    """A property: what it is, when it is free, what a stay costs; and the form that holds it."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        home, now = _find_listed(slug), timezone.now()
        asked = request.GET if "check_in" in request.GET else None
        stay_form = StayForm(asked, today=now.astimezone(home.tz).date(), auto_id="%s")
        contact_form = ContactForm(initial=request.session.get(_CONTACT), auto_id="%s")
        return _render_property(request, home, stay_form, contact_form, now=now)

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        home, now = _find_listed(slug), timezone.now()
        stay_form = StayForm(request.POST, today=now.astimezone(home.tz).date(), auto_id="%s")
        contact_form = ContactForm(request.POST, auto_id="%s")
        request.session[_CONTACT] = {name: request.POST.get(name, "") for name in contact_form.fields}
        refused = None
        if stay_form.stay is not None and contact_form.is_valid():
            try:
                booking = _hold(home, stay_form.stay, contact_form.guest, now)
                return SeeOther(booking.get_absolute_url())
            except StayRefused as refusal:
                refused = refusal
        return _render_property(request, home, stay_form, contact_form, now=now, refused=refused)


def _find_listed(slug: str) -> Property:
    return get_object_or_404(Property, slug=slug, is_listed=True)


def _hold(home: Property, stay: Stay, guest: services.Guest, now: datetime) -> Booking:
    try:
        return services.hold_stay(
            home=home,
            check_in=stay.check_in,
            check_out=stay.check_out,
            guests=stay.guests,
            guest=guest,
            now=now,
        )
    except StayUnavailable:
        twin = queries.find_twin(
            home=home, check_in=stay.check_in, check_out=stay.check_out, guest=guest, since=now - TWICE
        )
        if twin is None:
            raise
        return twin


def _render_property(
    request: HttpRequest,
    home: Property,
    stay_form: StayForm,
    contact_form: ContactForm,
    *,
    now: datetime,
    refused: StayRefused | None = None,
) -> HttpResponse:
    month = request.GET.get("month", "")
    page = describe_property(home=home, stay=stay_form.stay, month=month, now=now, refused=refused)
    context = {
        "page": page,
        "home": home,
        "stay": page.stay,
        "stay_form": stay_form,
        "contact_form": contact_form,
        "house": policies,
        "hold_minutes": policies.HOLD_DURATION // timedelta(minutes=1),
    }
    return render(request, "bookings/property.html", context)
