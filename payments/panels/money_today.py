"""Today in money: what falls due today and became of it, and what guests owe; nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bookings.models import BookingStatus
from bookings.money import format_pesos
from payments.debts import find_debts, is_overdue
from payments.failed_charges import FAILED_SINCE_PARAMETER, find_failed_charges
from payments.ledger.debts import sum_uncollected
from payments.models import Payment
from payments.policies import PaymentKind, PaymentStatus
from procrastinate_tasks.monitoring.panels import Figure, Notice, PanelContent
from procrastinate_tasks.queries.filters import PERIODS, read_day, read_instant

_UNDER_WAY = (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)
_REFUSED = (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Some payments and what they come to, in centavos."""

    count: int
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyToday:
    """Balances whose day is today, in the project's time zone, by what became of them.

    ``charged`` and ``refused`` have ended, ``retrying`` is under way or its outcome is not known yet,
    ``late`` should have been begun by now.
    """

    due: Tally
    charged: Tally
    refused: Tally
    retrying: Tally
    late: Tally


def read_money_today(*, now: datetime) -> MoneyToday:
    """Read the balances of today in one query."""
    of_day = find_balances_of(timezone.localtime(now).date())
    sums = of_day.aggregate(
        **{key: value for name in _NAMES for key, value in _sum(name, _condition(name, now=now)).items()}
    )
    return MoneyToday(**{name: Tally(count=sums[name], minor=sums[f"{name}_minor"]) for name in _NAMES})


def find_balances_of(day: date) -> QuerySet[Payment]:
    """Return the balances of stays whose day it is, in the project's time zone."""
    start = timezone.make_aware(datetime.combine(day, time.min))
    return Payment.objects.filter(
        kind=PaymentKind.BALANCE,
        booking__status__in=(BookingStatus.CONFIRMED, BookingStatus.COMPLETED),
        booking__balance_due_at__gte=start,
        booking__balance_due_at__lt=timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min)),
    ).exclude(status=PaymentStatus.VOID)


def _condition(name: str, *, now: datetime) -> Q:
    """Return which of a day's balances a figure counts: the list of payments filters by the same."""
    return {
        "due": Q(),
        "charged": Q(status=PaymentStatus.PAID),
        "refused": Q(status__in=_REFUSED),
        "retrying": Q(status__in=_UNDER_WAY),
        "late": Q(status=PaymentStatus.PENDING, booking__balance_due_at__lt=now - _GRACE),
    }[name]


class BalancesOfDayFilter(admin.SimpleListFilter):
    """Those that a figure of the dashboard counts, as in ``charged:2026-11-29``."""

    title = gettext_lazy("balances of a day")
    parameter_name = "balances"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        today = timezone.localdate()
        return [(f"{name}:{today}", label) for name, label in _LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        name, _colon, text = (self.value() or "").partition(":")
        day = read_day(text)
        if name not in _NAMES or day is None:
            return queryset
        found = find_balances_of(day).filter(_condition(name, now=timezone.now()))
        return queryset.filter(pk__in=found.values("pk"))


class FailedChargeFilter(admin.SimpleListFilter):
    """Those whose charge failed since an instant, as the alert counts them."""

    title = gettext_lazy("charge failed")
    parameter_name = FAILED_SINCE_PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1h", gettext_lazy("in the last hour")), ("24h", gettext_lazy("in the last 24 hours"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        value = self.value() or ""
        since = timezone.now() - PERIODS[value] if value in PERIODS else read_instant(value)
        if since is None:
            return queryset
        return queryset.filter(pk__in=find_failed_charges(since=since).values("pk"))


def read_money_panel() -> PanelContent:
    """Return the dashboard's panel."""
    now = timezone.now()
    money = read_money_today(now=now)
    told = [(name, getattr(money, name)) for name in ("due", "charged", "retrying", "refused")]
    return PanelContent(
        figures=(*(_figure(name, tally, now=now) for name, tally in told), _figure_of_debts(now)),
        notices=_notices(money, now=now),
        note=_("Balances whose day is today, in Mexico City's time."),
    )


# The scan runs every 15 minutes; what it has not begun after two runs is late.
_GRACE = timedelta(minutes=30)
_LABELS = {
    "due": gettext_lazy("Due today"),
    "charged": gettext_lazy("Charged"),
    "retrying": gettext_lazy("Under way or to be retried"),
    "refused": gettext_lazy("Declined, or waiting for the guest"),
    "late": gettext_lazy("Late"),
}
_NAMES = tuple(_LABELS)


def _sum(name: str, condition: Q) -> dict[str, Count | Coalesce]:
    return {
        name: Count("pk", filter=condition),
        f"{name}_minor": Coalesce(Sum("amount_minor", filter=condition), 0),
    }


def _figure(name: str, found: Tally, *, now: datetime) -> Figure:
    return Figure(
        label=str(_LABELS[name]),
        value=f"{found.count} · {format_pesos(found.minor)}",
        url=_address(name, now=now),
    )


def _address(name: str, *, now: datetime) -> str:
    """Return the list of the payments that a figure counts."""
    query = urlencode({BalancesOfDayFilter.parameter_name: f"{name}:{timezone.localtime(now).date()}"})
    return f"{reverse('admin:payments_payment_changelist')}?{query}"


def _figure_of_debts(now: datetime) -> Figure:
    """All that is due and not paid, of whatever day and kind: just what its list has, in both its parts."""
    owed = find_debts(now=now).aggregate(
        count=Count("pk"), minor=Coalesce(Sum("amount_minor"), 0), since=Min("owed_since")
    )
    rest = sum_uncollected()
    return Figure(
        label=_("Owed by guests"),
        value=f"{owed['count'] + rest['count']} · {format_pesos(owed['minor'] + rest['minor'])}",
        url=reverse("admin:payments_debt_changelist"),
        needs_attention=is_overdue(owed["since"], now=now),
    )


def _notices(money: MoneyToday, *, now: datetime) -> tuple[Notice, ...]:
    if not money.late.count:
        return ()
    sentence = ngettext(
        "%(count)d balance, %(amount)s, should have been charged by now and was not.",
        "%(count)d balances, %(amount)s, should have been charged by now and were not.",
        money.late.count,
    )
    words = {"count": money.late.count, "amount": format_pesos(money.late.minor)}
    return (Notice(sentence=sentence % words, url=_address("late", now=now), is_urgent=True),)
