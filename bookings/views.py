"""The pages a guest sees before there is a booking: the properties, and one property."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_cookie
from django.views.generic import View

from bookings import hold_time, legal, own_holds, policies, queries, quotes, services
from bookings.availability import Stay
from bookings.exceptions import StayRefused, StayUnavailable
from bookings.forms import ConsentForm, ContactForm, SearchForm, StayForm
from bookings.models import Booking, LegalText, Property, PropertyPhoto
from bookings.property_page import describe_property, read_closed
from bookings.responses import SeeOther
from bookings.shared_pages import render_shared
from bookings.templatetags.lodging import facts, query

# Two equal forms of one guest that arrive within this time are one form sent twice.
TWICE = timedelta(minutes=2)
# What a guest typed about themselves, kept in their session while they look for other dates: only what was
# found valid, and not for longer than that takes.
_CONTACT = "contact"
_CONTACT_KEPT_FOR = timedelta(hours=1)


@cache_control(private=True)
@vary_on_cookie
@require_safe
def show_home(request: HttpRequest) -> HttpResponse:
    """List the properties; with dates, which are free and for how much."""
    now = timezone.now()
    asked = request.GET if "guests" in request.GET else None
    form = SearchForm(asked, today=timezone.localdate(now), auto_id="%s")
    listings = quotes.list_homes(stay=form.stay, guests=form.guest_count, now=now)
    holds = own_holds.find(request, now=now)
    context: dict[str, object] = {"form": form, "stay": form.stay, "listings": listings, "own_holds": holds}
    is_alike = not (holds or request.GET)
    shows = [form.today, [(facts(each.home), each.photo_id) for each in listings]] if is_alike else None
    return render_shared(request, "bookings/home.html", lambda: context, shows=shows)


@method_decorator((cache_control(private=True), vary_on_cookie), name="dispatch")
class PropertyView(View):
    """A property: what it is, when it is free, what a stay costs; and the form that holds it."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        (home, photos), now = _find_listed(slug), timezone.now()
        asked = request.GET if "check_in" in request.GET else None
        stay_form = StayForm(asked, today=now.astimezone(home.tz).date(), auto_id="%s")
        contact_form = ContactForm(initial=request.session.get(_CONTACT), auto_id="%s")
        consent_form = ConsentForm(current=legal.current_versions() if asked else "", auto_id="%s")
        return _render_property(request, home, stay_form, contact_form, consent_form, photos=photos, now=now)

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        (home, photos), now = _find_listed(slug), timezone.now()
        stay_form = StayForm(request.POST, today=now.astimezone(home.tz).date(), auto_id="%s")
        contact_form = ContactForm(request.POST, auto_id="%s")
        consent_form = ConsentForm(request.POST, current=legal.current_versions(), auto_id="%s")
        refused = None
        if stay_form.stay is not None and contact_form.is_valid() & consent_form.is_valid():
            asked = Asked(
                home=home, stay=stay_form.stay, guest=contact_form.guest, consent=consent_form.current
            )
            try:
                booking = _hold(request, asked, now)
            except StayRefused as refusal:
                refused = refusal
                _keep_contact(request, contact_form)
            else:
                response = SeeOther(booking.get_absolute_url())
                own_holds.remember(response, request, booking)
                return response
        return _render_property(
            request, home, stay_form, contact_form, consent_form, photos=photos, now=now, refused=refused
        )


@require_safe
def show_legal_text(request: HttpRequest, kind: str) -> HttpResponse:
    """Show what guests agree to; ``?version=2`` shows what they agreed to then."""
    asked = request.GET.get("version", "")
    version = int(asked) if asked.isdecimal() and len(asked) < 6 else None
    text = legal.show_text(LegalText.Kind(kind), version=version)
    if text is None:
        raise Http404
    return render(request, "bookings/legal.html", {"text": text})


@require_POST
def wait_for_stay(request: HttpRequest, slug: str) -> HttpResponse:
    """Write down that somebody waits for nights which others hold: those are then held no longer."""
    (home, _photos), now = _find_listed(slug), timezone.now()
    stay = StayForm(request.POST, today=now.astimezone(home.tz).date()).stay
    if stay is None or stay.check_out <= stay.check_in:
        return SeeOther(reverse("property", args=[slug]))
    _note_wanted(request, home, stay, now)
    messages.success(request, _("Noted: nobody can hold these dates longer. Look again at that time."))
    return SeeOther(f"{reverse('property', args=[slug])}{query(stay)}#stay")


def _free_at(home: Property, stay: Stay | None, now: datetime) -> datetime | None:
    if stay is None or stay.check_out <= stay.check_in:
        return None
    return queries.free_at(home=home, check_in=stay.check_in, check_out=stay.check_out, now=now)


def _find_listed(slug: str) -> tuple[Property, list[PropertyPhoto]]:
    try:
        return queries.find_listed(slug)
    except Property.DoesNotExist as error:
        raise Http404 from error


def _keep_contact(request: HttpRequest, form: ContactForm) -> None:
    request.session[_CONTACT] = form.cleaned_data
    if SESSION_KEY not in request.session:  # Somebody of the office stays signed in.
        request.session.set_expiry(_CONTACT_KEPT_FOR)


def _visitor_of(request: HttpRequest) -> str:
    visitor: str = import_string(settings.BOOKINGS_VISITOR_OF)(request)
    return visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a guest asks for with the form, all of it valid; ``consent`` names the texts they accept."""

    home: Property
    stay: Stay
    guest: services.Guest
    consent: str


def _hold(request: HttpRequest, asked: Asked, now: datetime) -> Booking:
    home, stay = asked.home, asked.stay
    own = own_holds.find_same(own_holds.find(request, now=now), home=home, stay=stay)
    if own is not None:
        return own
    try:
        return _hold_and_announce(asked, _visitor_of(request), now)
    except StayUnavailable:
        twin = queries.find_twin(
            home=home, check_in=stay.check_in, check_out=stay.check_out, guest=asked.guest, since=now - TWICE
        )
        if twin is None:
            _note_wanted(request, home, stay, now)
            raise
        return twin


def _note_wanted(request: HttpRequest, home: Property, stay: Stay, now: datetime) -> None:
    hold_time.note_wanted(
        home=home,
        check_in=stay.check_in,
        check_out=stay.check_out,
        held_by=_visitor_of(request),
        now=now,
    )


@transaction.atomic
def _hold_and_announce(asked: Asked, held_by: str, now: datetime) -> Booking:
    """Hold the nights, write down the consent and have the guest written to, or none of it."""
    stay = asked.stay
    booking = services.hold_stay(
        home=asked.home,
        check_in=stay.check_in,
        check_out=stay.check_out,
        guests=stay.guests,
        guest=asked.guest,
        now=now,
        held_by=held_by,
    )
    legal.record_consent(booking=booking, versions=asked.consent, now=now)
    announce = import_string(settings.BOOKINGS_ANNOUNCE_HOLD)
    announce(booking=booking, base_url=settings.SITE_BASE_URL, now=now)
    return booking


def _render_property(
    request: HttpRequest,
    home: Property,
    stay_form: StayForm,
    contact_form: ContactForm,
    consent_form: ConsentForm,
    *,
    photos: list[PropertyPhoto],
    now: datetime,
    refused: StayRefused | None = None,
) -> HttpResponse:
    holds, closed = own_holds.find(request, now=now), read_closed(home=home, now=now)

    def read_context() -> dict[str, object]:
        month, stay = request.GET.get("month", ""), stay_form.stay
        page = describe_property(home=home, closed=closed, stay=stay, month=month, now=now, refused=refused)
        return {
            "page": page,
            "own_holds": holds,
            "is_own_stay": own_holds.overlap(holds, home=home, stay=stay),
            "home": home,
            "photos": photos,
            "stay": stay,
            "stay_form": stay_form,
            "contact_form": contact_form,
            "consent_form": consent_form,
            "house": policies,
            "free_at": page.refusal and _free_at(home, stay, now),
            "hold_minutes": policies.HOLD_DURATION // timedelta(minutes=1),
        }

    shows = None if holds else [stay_form.today, facts(home), facts(photos), closed]
    return render_shared(request, "bookings/property.html", read_context, shows=shows)
