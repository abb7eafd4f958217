"""The list of who owes what: what comes next, in a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.debts import IS_OVERDUE_PARAMETER, find_overdue
from payments.ledger.debts import find_uncollected, sum_uncollected
from payments.models import Debt, Dunning, Payment
from payments.policies import PaymentStatus

_MOST_SHOWN = 100


class OverdueFilter(admin.SimpleListFilter):
    """Those that the alert counts."""

    title = gettext_lazy("age")
    parameter_name = IS_OVERDUE_PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("overdue"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Debt]) -> QuerySet[Debt]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=find_overdue(now=timezone.now()).values("pk"))


class UncollectedToo:
    """Mix into the list of debts: after it stands what is owed and no payment is there to collect."""

    change_list_template: Any = "payments/admin/debts.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        found = find_uncollected().select_related("booking").order_by("-uncollected_minor", "pk")
        context = {**(extra_context or {}), "uncollected": found[:_MOST_SHOWN], "sums": sum_uncollected()}
        return super().changelist_view(request, context)  # type: ignore[misc]


def tell_next(debt: Debt, *, is_disputed: bool) -> str:
    """Say what becomes of a debt if nobody does anything."""
    if is_disputed:
        return _("nothing while a charge of the booking is disputed")
    if debt.status == PaymentStatus.PENDING:
        return _("the card is charged within 15 minutes")
    if debt.status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN):
        return _("the answer of the bank")
    next_at = _next_try(debt)
    if next_at is None:
        return _("nothing by itself: the guest has the link")
    moment = formats.date_format(timezone.localtime(next_at), "j M H:i")
    words = {"moment": moment, "step": debt.dunning.step + 1}
    return _("the card is asked again on %(moment)s, attempt %(step)d") % words


def _next_try(payment: Payment) -> datetime | None:
    dunning: Dunning | None = getattr(payment, "dunning", None)
    return dunning.next_at if dunning is not None else None
