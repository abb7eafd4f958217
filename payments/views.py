"""A guest's own pages: the booking and its money, paying, moving, cancelling; and Stripe's webhook."""

from __future__ import annotations

import logging
from datetime import date, datetime
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import View

from bookings import own_holds
from bookings import queries as bookings
from bookings.exceptions import BookingError, SameNights, StayUnavailable
from bookings.forms import EmailForm, NightsForm
from bookings.models import Booking
from bookings.responses import SeeOther
from bookings.templatetags.lodging import clock
from payments import date_changes, queries, webhooks
from payments.billing import cancellation_cost
from payments.exceptions import (
    InvalidSignature,
    PayerEmailRefused,
    PaymentError,
    PaymentRefused,
    TransientFault,
)
from payments.gateway import get_gateway
from payments.panels import guest_page
from payments.policies import PaymentKind
from payments.private_pages import private_page
from payments.requests import RETURNED_FROM_PAYING, RETURNED_UNPAID
from payments.services import (
    close_pages,
    correct_email,
    extend_hold,
    look_at_pages,
    open_checkout,
    request_cancellation,
)

logger = logging.getLogger(__name__)

MOST_EVENT_BYTES = 512 * 1024


@private_page
@require_safe
def show_booking(request: HttpRequest, token: str) -> HttpResponse:
    """Show a booking to whoever has its address."""
    now = timezone.now()
    return _render(request, "booking", _find_booking(token), now)


@private_page
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """Send the guest to the page on which Stripe takes what the booking owes now."""
    booking = _find_booking(token)
    if request.method != "POST":
        return redirect(booking)
    try:
        address = open_checkout(
            booking=booking, base_url=settings.SITE_BASE_URL, gateway=get_gateway(), now=timezone.now()
        )
    except (BookingError, PaymentError) as error:
        messages.warning(request, _explain(error, booking))
        return SeeOther(booking.get_absolute_url())
    return SeeOther(address)


@private_page
def look_at_payment(request: HttpRequest, token: str) -> HttpResponse:
    """Have Stripe asked about a page whose guest says they have paid: only its own answer counts.

    A page of its own for a form, because reading pages changes nothing here.
    """
    booking = _find_booking(token)
    if request.method == "POST":
        look_at_pages(booking=booking)
    return SeeOther(f"{booking.get_absolute_url()}?{RETURNED_FROM_PAYING}=1")


@private_page
@require_safe
def show_state(request: HttpRequest, token: str) -> JsonResponse:
    """Tell the script of a booking's page where the booking stands by the server's clock."""
    page = _describe(request, _find_booking(token), timezone.now())
    return JsonResponse(page.state.as_json())


@private_page
def extend(request: HttpRequest, token: str) -> HttpResponse:
    """Hold the dates a little longer."""
    booking = _find_booking(token)
    if request.method != "POST":
        return redirect(booking)
    try:
        until = extend_hold(booking=booking, now=timezone.now())
    except (BookingError, PaymentError) as error:
        messages.warning(request, _explain(error, booking))
    else:
        with timezone.override(booking.home.tz):
            messages.success(request, _("Your dates are held until %(time)s.") % {"time": clock(until)})
    return SeeOther(booking.get_absolute_url())


@private_page
def correct_address(request: HttpRequest, token: str) -> HttpResponse:
    """Take another e-mail address for a hold whose payment page refused the first."""
    booking = _find_booking(token)
    form = EmailForm(request.POST, auto_id="%s")
    if request.method != "POST":
        return redirect(booking)
    if not form.is_valid():
        return _render(request, "booking", booking, timezone.now(), {"email_form": form})
    try:
        booking = correct_email(
            booking=booking,
            email=form.cleaned_data["email"],
            base_url=settings.SITE_BASE_URL,
            now=timezone.now(),
        )
    except (BookingError, PaymentError) as error:
        messages.warning(request, _explain(error, booking))
    else:
        messages.success(request, _("We have your new address. Go on and pay the deposit."))
        response = SeeOther(booking.get_absolute_url())
        own_holds.remember_link(response, request, booking)  # An open page of Stripe's leads to the old one.
        return response
    return SeeOther(booking.get_absolute_url())


@method_decorator(private_page, name="dispatch")
class ChangeDatesView(View):
    """Move a stay: first what it would cost, then the change, or the way to pay for it first."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        booking, now = _find_booking(token), timezone.now()
        form = _nights_form(booking, request.GET if "check_in" in request.GET else None, now)
        return _render_change(request, booking, form, now)

    def post(self, request: HttpRequest, token: str) -> HttpResponseBase:
        booking, now = _find_booking(token), timezone.now()
        form = _nights_form(booking, request.POST, now)
        if not form.is_valid():
            return _render_change(request, booking, form, now)
        try:
            return self._change(request, booking, form.cleaned_data, now)
        except SameNights:
            return SeeOther(booking.get_absolute_url())  # The form was sent twice, and has done what it does.
        except (BookingError, PaymentError) as error:
            form.add_error(None, _explain(error, booking))
            return _render_change(request, booking, form, now)

    def _change(
        self, request: HttpRequest, booking: Booking, dates: dict[str, date], now: datetime
    ) -> HttpResponseBase:
        """Make the change that the guest has read. An open payment page is closed for them first."""
        close_pages(booking=booking, gateway=get_gateway(), now=now)
        preview = date_changes.preview_change(booking=booking, **dates, now=now)
        if request.POST.get("sums") != preview.sums:
            messages.warning(request, _("The sums have changed since you opened this page. Read them again."))
            return _render_change(request, booking, _nights_form(booking, request.POST, now), now)
        charge = preview.money.charge_minor
        date_changes.change_dates(
            booking=booking,
            **dates,
            base_url=settings.SITE_BASE_URL,
            agreed_charge_minor=charge,
            now=now,
        )
        if preview.money.kind == PaymentKind.TOPUP:
            return pay(request, booking.access_token)
        if not charge:
            messages.success(request, _("Your stay has new dates."))
        return SeeOther(booking.get_absolute_url())


@private_page
def keep_dates(request: HttpRequest, token: str) -> HttpResponse:
    """Give up dearer dates that are held, and keep the stay as it is."""
    booking = _find_booking(token)
    if request.method != "POST":
        return redirect(booking)
    now = timezone.now()
    try:
        close_pages(booking=booking, gateway=get_gateway(), now=now)
        if date_changes.give_up_change(booking=booking, now=now):
            messages.success(request, _("Your stay keeps its dates. Nothing was charged."))
    except (BookingError, PaymentError) as error:
        messages.warning(request, _explain(error, booking))
    return SeeOther(booking.get_absolute_url())


@method_decorator(private_page, name="dispatch")
class CancelView(View):
    """Cancel a booking: first the exact sums, then the cancellation."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return _render_cancel(request, _find_booking(token), timezone.now())

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        booking, now = _find_booking(token), timezone.now()
        form = CancelForm(request.POST)
        cost = cancellation_cost(booking, paid_minor=queries.paid_for(booking), asked_at=now)
        if not form.is_valid() or form.cleaned_data["kept_minor"] != cost.kept_minor:
            messages.warning(request, _("The sums have changed since you opened this page. Read them again."))
            return _render_cancel(request, booking, now)
        try:
            is_new = request_cancellation(booking=booking, base_url=settings.SITE_BASE_URL, now=now)
        except TransientFault as error:
            messages.warning(request, _explain(error, booking))
            return _render_cancel(request, booking, now)
        if is_new:
            messages.success(request, _("We are cancelling your booking. You will get an e-mail."))
        return SeeOther(booking.get_absolute_url())


@csrf_exempt
@require_POST
def receive_stripe_event(request: HttpRequest) -> JsonResponse:
    """Take in a Stripe event; any answer but 200 makes Stripe send it again."""
    signature = request.headers.get("Stripe-Signature", "")
    try:
        if not signature:
            raise InvalidSignature("there is none")  # Before a byte of the body is looked at.
        webhooks.receive_event(
            payload=_read_event(request), signature=signature, gateway=get_gateway(), now=timezone.now()
        )
    except InvalidSignature as error:
        logger.warning("webhook refused", extra={"reason": str(error)})
        return JsonResponse({"error": "invalid signature"}, status=400)
    return JsonResponse({"received": True})


def _read_event(request: HttpRequest) -> bytes:
    """Read a body that may be longer than a form, and not without end.

    Raises:
        RequestDataTooBig: Stripe sends no such event.
    """
    body: bytes = request.read(MOST_EVENT_BYTES + 1)
    if len(body) > MOST_EVENT_BYTES:
        raise RequestDataTooBig
    return body


def _find_booking(token: str) -> Booking:
    try:
        return bookings.find_booking(token)
    except (BadSignature, Booking.DoesNotExist) as error:
        raise Http404 from error


def _explain(error: BookingError | PaymentError, booking: Booking) -> str:
    """Return what a guest is told: the refusal's own words, or an apology for what is not their doing."""
    if isinstance(error, BookingError | PaymentRefused):
        return str(error)
    if isinstance(error, PayerEmailRefused):
        return _("The payment page does not take your e-mail address. Correct it, then pay.")
    if isinstance(error, TransientFault):
        return _("That did not work just now. Nothing was charged; try again in a minute.")
    logger.error("a guest could not go on", exc_info=error, extra={"booking_id": booking.pk})
    return _(
        "We could not open the payment page; it is our fault. Nothing was charged. Try again or write to us."
    )


def _nights_form(booking: Booking, data: Any, now: datetime) -> NightsForm:
    # A stay that has begun keeps its arrival, which the browser must still accept.
    earliest = min(now.astimezone(booking.home.tz).date(), booking.quote.check_in)
    initial = {"check_in": booking.quote.check_in, "check_out": booking.quote.check_out}
    return NightsForm(data, today=earliest, initial=initial, auto_id="%s")


def _render_change(request: HttpRequest, booking: Booking, form: NightsForm, now: datetime) -> HttpResponse:
    preview = None
    if form.is_bound and form.is_valid():
        try:
            preview = date_changes.preview_change(booking=booking, **form.cleaned_data, now=now)
        except StayUnavailable:
            form.add_error(None, _("Some of these nights are already taken."))
        except BookingError as refusal:
            form.add_error(None, str(refusal))
    return _render(request, "change_dates", booking, now, {"form": form, "preview": preview})


def _render_cancel(request: HttpRequest, booking: Booking, now: datetime) -> HttpResponse:
    cost = cancellation_cost(booking, paid_minor=queries.paid_for(booking), asked_at=now)
    form = CancelForm(initial={"kept_minor": cost.kept_minor})
    return _render(request, "cancel", booking, now, {"form": form, "cost": cost})


def _render(
    request: HttpRequest,
    name: str,
    booking: Booking,
    now: datetime,
    context: dict[str, Any] | None = None,
) -> HttpResponse:
    shared = {
        "page": _describe(request, booking, now),
        "booking": booking,
        "quote": booking.quote,
        "home": booking.home,
        "photo_id": partial(bookings.lead_photo_id, booking.home),
        "now": now,
        "email_form": EmailForm(initial={"email": booking.guest_email}, auto_id="%s"),
    }
    return render(request, f"payments/{name}.html", {**shared, **(context or {})})


def _describe(request: HttpRequest, booking: Booking, now: datetime) -> guest_page.BookingPage:
    return guest_page.describe_booking(
        booking,
        now=now,
        has_paid=RETURNED_FROM_PAYING in request.GET,
        has_come_back=RETURNED_UNPAID in request.GET,
    )


class CancelForm(forms.Form):
    """The second step of a cancellation: the guest has read what it costs."""

    kept_minor = forms.IntegerField(min_value=0, widget=forms.HiddenInput())
