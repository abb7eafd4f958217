"""The buttons with which the house lets money go: a debt is waived, a refund that failed is given up.

Django's own log of the administration keeps who did it and for how much, in the transaction in which the
ledger writes the money off.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from bookings.models import Booking
from bookings.money import format_pesos
from payments.ledger import debts, refunds
from payments.models import Refund
from payments.panels.refusals import telling_refusals
from payments.policies import RefundState

WAIVE = "payments.waive_debt"
GIVE_UP = "payments.give_up_refund"


class SeenDebt(forms.Form):
    """What the page showed: nobody lets another sum go than the one they have read."""

    debt_minor = forms.IntegerField(min_value=1)


class WaiveDebt:
    """Mix into the admin of bookings; its page shows ``debt_to_waive``."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.waive_debt))  # type: ignore[attr-defined]
        waive = path("<int:booking_id>/waive-debt/", view, name="bookings_booking_waive_debt")
        return [waive, *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> Any:
        may_waive = request.user.has_perm(WAIVE)
        context["debt_to_waive"] = debts.find_debt(context["original"]) if may_waive else 0
        return super().render_change_form(request, context, *args, **options)  # type: ignore[misc]

    def waive_debt(self, request: HttpRequest, booking_id: int) -> HttpResponse:
        _require(request, WAIVE)
        booking = get_object_or_404(Booking, pk=booking_id)
        form = SeenDebt(request.POST)
        seen: int = form.cleaned_data["debt_minor"] if form.is_valid() else 0
        words = _("A debt of %(amount)s was waived.") % {"amount": format_pesos(seen)}
        with telling_refusals(request):
            with transaction.atomic():
                debts.waive_debt(booking_id=booking_id, debt_minor=seen, now=timezone.now())
                self.log_change(request, booking, words)  # type: ignore[attr-defined]
            messages.success(request, words)
        return redirect("admin:bookings_booking_change", booking_id)


class GiveUp:
    """Mix into the admin of refunds; its page shows ``may_give_up``."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.give_up))  # type: ignore[attr-defined]
        give_up = path("<int:refund_id>/give-up/", view, name="payments_refund_give_up")
        return [give_up, *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> Any:
        has_failed = context["original"].state == RefundState.FAILED
        context["may_give_up"] = has_failed and request.user.has_perm(GIVE_UP)
        return super().render_change_form(request, context, *args, **options)  # type: ignore[misc]

    def give_up(self, request: HttpRequest, refund_id: int) -> HttpResponse:
        _require(request, GIVE_UP)
        refund = get_object_or_404(Refund, pk=refund_id)
        words = _("The refund of %(amount)s was given up.") % {"amount": format_pesos(refund.amount_minor)}
        with telling_refusals(request):
            with transaction.atomic():
                refunds.give_up_refund(refund_id=refund_id, now=timezone.now())
                self.log_change(request, refund, words)  # type: ignore[attr-defined]
            messages.success(request, words)
        return redirect("admin:payments_refund_change", refund_id)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
