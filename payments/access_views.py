"""*Mis reservas*: a guest asks for a link, opens it once, and sees their bookings for an hour."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import View

from bookings import queries as bookings
from bookings.forms import EmailForm
from bookings.models import Booking, BookingStatus
from bookings.responses import SeeOther
from payments import guest_access
from payments.email_facts import take_facts
from payments.guest_access import AccessLinkOver
from payments.models import GuestVisit
from payments.panels import my_bookings
from payments.private_pages import private_page
from payments.stay_calendar import write_stay

_COOKIE = "mis_reservas"
_SALT = "payments.guest_visit"
_SENT = "enviado"


@method_decorator(private_page, name="dispatch")
class MyBookingsView(View):
    """The list of a guest who is in; for all others the form that asks for a link."""

    def get(self, request: HttpRequest) -> HttpResponse:
        visit = _find_visit(request)
        if visit is None:
            return _render_form(request, _form())
        found = my_bookings.describe_all(guest_access.list_bookings(visit), now=timezone.now())
        shelves = [[each for each in found if each.shelf == shelf] for shelf in my_bookings.Shelf]
        ahead, over, ended = shelves
        # What comes next stands first.
        context = {"ahead": ahead[::-1], "over": over, "ended": ended, "visit": visit}
        return render(request, "payments/my_bookings.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask for a link; the answer is one and the same whatever the address."""
        form = _form(request.POST)
        if not form.is_valid():
            return _render_form(request, form)
        guest_access.request_link(
            email=form.cleaned_data["email"],
            language=get_language() or settings.LANGUAGE_CODE,
            base_url=settings.SITE_BASE_URL,
            now=timezone.now(),
        )
        return SeeOther(f"{reverse('my_bookings')}?{_SENT}=1")


@method_decorator(private_page, name="dispatch")
class OpenAccessView(View):
    """A link from an e-mail: programs that read mail follow it, so that only the button on it counts."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            guest_access.require_openable(token=token, now=timezone.now())
        except AccessLinkOver:
            return _render_form(request, _form(), is_over=True)
        return render(request, "payments/open_access.html", {"token": token})

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            visit = guest_access.open_link(token=token, now=timezone.now())
        except AccessLinkOver:
            return _render_form(request, _form(), is_over=True)
        response = SeeOther(reverse("my_bookings"))
        response.set_signed_cookie(
            _COOKIE,
            visit.public_id.hex,
            salt=_SALT,
            max_age=guest_access.VISIT_LIFETIME,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
        return response


@private_page
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """End the visit, for whoever reads on somebody else's machine."""
    visit = _find_visit(request)
    if visit is not None:
        guest_access.end_visit(visit=visit, now=timezone.now())
    response = SeeOther(reverse("my_bookings"))
    response.delete_cookie(_COOKIE, samesite="Lax")
    return response


@private_page
@require_safe
def download_stay(request: HttpRequest, token: str) -> HttpResponse:
    """Hand a confirmed stay to the guest's calendar."""
    try:
        booking = bookings.find_booking(token)
    except (BadSignature, Booking.DoesNotExist) as error:
        raise Http404 from error
    if booking.status != BookingStatus.CONFIRMED:
        raise Http404
    content = write_stay(booking=booking, facts=take_facts(booking=booking), now=timezone.now())
    headers = {"Content-Disposition": f'attachment; filename="{booking.folio}.ics"'}
    return HttpResponse(content, content_type="text/calendar; charset=utf-8", headers=headers)


def _form(data: object = None) -> EmailForm:
    form = EmailForm(data, auto_id="%s")  # type: ignore[arg-type]
    form.fields["email"].help_text = ""
    return form


def _render_form(request: HttpRequest, form: EmailForm, *, is_over: bool = False) -> HttpResponse:
    context = {
        "form": form,
        "is_over": is_over,
        "is_sent": _SENT in request.GET,
        "minutes": int(guest_access.LINK_LIFETIME.total_seconds() // 60),
    }
    return render(request, "payments/ask_for_access.html", context)


def _find_visit(request: HttpRequest) -> GuestVisit | None:
    value = request.get_signed_cookie(_COOKIE, default="", salt=_SALT, max_age=guest_access.VISIT_LIFETIME)
    try:
        public_id = UUID(hex=value or "")
    except ValueError:
        return None
    return guest_access.find_visit(public_id=public_id, now=timezone.now())
