"""Today in money: what falls due today and became of it, and what guests owe; nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bookings.models import BookingStatus
from bookings.money import format_pesos
from payments.debts import find_debts, is_overdue
from payments.models import Payment
from payments.policies import PaymentKind, PaymentStatus
from procrastinate_tasks.monitoring.panels import Figure, Notice, PanelContent

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
    start = timezone.make_aware(datetime.combine(timezone.localtime(now).date(), time.min))
    today = Q(booking__balance_due_at__gte=start, booking__balance_due_at__lt=start + timedelta(days=1))
    sums = (
        _balances()
        .filter(today)
        .aggregate(
            **_sum("due", today),
            **_sum("charged", today & Q(status=PaymentStatus.PAID)),
            **_sum("refused", today & Q(status__in=_REFUSED)),
            **_sum("retrying", today & Q(status__in=_UNDER_WAY)),
            **_sum("late", today & Q(status=PaymentStatus.PENDING, booking__balance_due_at__lt=now - _GRACE)),
        )
    )
    return MoneyToday(**{name: Tally(count=sums[name], minor=sums[f"{name}_minor"]) for name in _NAMES})


def read_money_panel() -> PanelContent:
    """Return the dashboard's panel."""
    now = timezone.now()
    money = read_money_today(now=now)
    return PanelContent(
        figures=(
            _figure(_("Due today"), money.due),
            _figure(_("Charged"), money.charged, status=PaymentStatus.PAID),
            _figure(_("Under way or to be retried"), money.retrying, status=PaymentStatus.PROCESSING),
            _figure(_("Declined, or waiting for the guest"), money.refused, status=PaymentStatus.FAILED),
            _figure_of_debts(now),
        ),
        notices=_notices(money),
        note=_("Balances whose day is today, in Mexico City's time."),
    )


# The scan runs every 15 minutes; what it has not begun after two runs is late.
_GRACE = timedelta(minutes=30)
_NAMES = ("due", "charged", "refused", "retrying", "late")


def _balances() -> QuerySet[Payment]:
    return Payment.objects.filter(
        kind=PaymentKind.BALANCE, booking__status__in=(BookingStatus.CONFIRMED, BookingStatus.COMPLETED)
    ).exclude(status=PaymentStatus.VOID)


def _sum(name: str, condition: Q) -> dict[str, Count | Coalesce]:
    return {
        name: Count("pk", filter=condition),
        f"{name}_minor": Coalesce(Sum("amount_minor", filter=condition), 0),
    }


def _figure(label: str, found: Tally, *, status: PaymentStatus | None = None) -> Figure:
    query = f"?kind__exact=balance&status__exact={status.value}" if status else "?kind__exact=balance"
    return Figure(
        label=label,
        value=f"{found.count} · {format_pesos(found.minor)}",
        url=reverse("admin:payments_payment_changelist") + query,
    )


def _figure_of_debts(now: datetime) -> Figure:
    """All that is due and not paid, of whatever day and kind: just what its list has."""
    owed = find_debts(now=now).aggregate(
        count=Count("pk"), minor=Coalesce(Sum("amount_minor"), 0), since=Min("owed_since")
    )
    return Figure(
        label=_("Owed by guests"),
        value=f"{owed['count']} · {format_pesos(owed['minor'])}",
        url=reverse("admin:payments_debt_changelist"),
        needs_attention=is_overdue(owed["since"], now=now),
    )


def _notices(money: MoneyToday) -> tuple[Notice, ...]:
    if not money.late.count:
        return ()
    sentence = ngettext(
        "%(count)d balance, %(amount)s, should have been charged by now and was not.",
        "%(count)d balances, %(amount)s, should have been charged by now and were not.",
        money.late.count,
    )
    words = {"count": money.late.count, "amount": format_pesos(money.late.minor)}
    address = reverse("admin:payments_payment_changelist") + "?kind__exact=balance&status__exact=pending"
    return (Notice(sentence=sentence % words, url=address, is_urgent=True),)
