"""What monitoring is told of money: charges in doubt, charges that fail, and their sums. No names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext

from bookings.money import format_pesos
from payments import attention, memory, unfinished
from payments.doubts import IN_DOUBT, IN_DOUBT_PARAMETER
from payments.failed_charges import FAILED_SINCE_PARAMETER, find_failed_charges
from payments.models import Payment, PaymentAttempt, Refund, StripeEvent
from payments.policies import Channel, PaymentStatus, RefundState
from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding, register_rule
from procrastinate_tasks.monitoring.metrics import Metric, gauge, register_metrics, single
from procrastinate_tasks.monitoring.snapshot import Snapshot

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargesInDoubt:
    """Charges that Stripe was asked for, and whose outcome is not known."""

    count: int
    oldest_at: datetime | None
    amount_minor: int


def charges_in_doubt(*, before: datetime) -> ChargesInDoubt:
    """Count the charges in doubt that were begun before an instant."""
    found = PaymentAttempt.objects.filter(
        state__in=IN_DOUBT, channel=Channel.OFF_SESSION, created_at__lte=before
    ).aggregate(count=Count("pk"), oldest_at=Min("created_at"), amount_minor=Coalesce(Sum("amount_minor"), 0))
    return ChargesInDoubt(**found)


def find_failing_charges(snapshot: Snapshot) -> Iterator[Finding]:
    facts = find_failed_charges(since=snapshot.taken_at - _HOUR).aggregate(
        failed=Count("pk"), amount_minor=Coalesce(Sum("amount_minor"), 0)
    )
    if facts["failed"] > settings.PAYMENTS_ALERT_FAILED_PER_HOUR:
        yield Finding(sentence=partial(_say_failing_charges, **facts), measure=facts["failed"])


def _say_failing_charges(failed: int, amount_minor: int) -> str:
    sentence = ngettext(
        "%(failed)d charge failed within the last hour: %(amount)s.",
        "%(failed)d charges failed within the last hour: %(amount)s.",
        failed,
    )
    return sentence % {"failed": failed, "amount": format_pesos(amount_minor)}


def find_charges_in_doubt(snapshot: Snapshot) -> Iterator[Finding]:
    doubt = charges_in_doubt(before=snapshot.taken_at - settings.PAYMENTS_ALERT_UNKNOWN_AFTER)
    if doubt.oldest_at is not None:
        age = snapshot.taken_at - doubt.oldest_at
        yield Finding(sentence=partial(_say_charges_in_doubt, doubt, age), measure=doubt.count)


def _say_charges_in_doubt(doubt: ChargesInDoubt, age: timedelta) -> str:
    sentence = ngettext(
        "Of %(count)d charge, %(amount)s, the outcome is not known, since %(minutes).0f min.",
        "Of %(count)d charges, %(amount)s, the outcome is not known, of the oldest since %(minutes).0f min.",
        doubt.count,
    )
    return sentence % {
        "count": doubt.count,
        "amount": format_pesos(doubt.amount_minor),
        "minutes": age.total_seconds() / 60,
    }


def find_lost_memory(snapshot: Snapshot) -> Iterator[Finding]:
    if memory.is_locked():
        yield Finding(sentence=lambda: gettext("Stripe knows of money of ours that this database does not."))


ALERT_RULES = (
    AlertRule(
        name="charging_locked",
        title=gettext_lazy("Charging is locked"),
        advice=gettext_lazy(
            "A backup was restored, or the database lost its last seconds. Nothing is charged until you have"
            " run: manage.py rebuild_from_stripe, and then again with --apply."
        ),
        find=find_lost_memory,
        page="admin:payments_reconciliationbreak_changelist",
    ),
    AlertRule(
        name="charges_failing",
        title=gettext_lazy("Many charges are failing"),
        advice=gettext_lazy(
            "Look at the failed payments in the administration, and at Stripe's status page. If it is"
            " our fault, pause the queue: manage.py jobs pause payments."
        ),
        find=find_failing_charges,
        page="admin:payments_payment_changelist",
        query=lambda told: {FAILED_SINCE_PARAMETER: (told.told_at - _HOUR).isoformat()},
    ),
    AlertRule(
        name="charge_unknown",
        title=gettext_lazy("A charge is in doubt"),
        advice=gettext_lazy(
            "Do not charge again. Stripe is asked each minute; look whether it can be reached, and whether a"
            " worker serves the queue payments."
        ),
        find=find_charges_in_doubt,
        page="admin:payments_payment_changelist",
        query=lambda told: {IN_DOUBT_PARAMETER: "yes"},
    ),
)


def _rule_of(work: unfinished.Work) -> AlertRule:
    return AlertRule(
        name=work.name,
        title=work.title,
        advice=work.advice,
        find=lambda snapshot: _find_overdue(work, snapshot),
        page=work.page,
        query=lambda told: unfinished.overdue_query(work, now=told.told_at),
    )


def _find_overdue(work: unfinished.Work, snapshot: Snapshot) -> Iterator[Finding]:
    overdue = unfinished.find_overdue(work, now=snapshot.taken_at)
    if overdue.count:
        yield Finding(sentence=lambda: work.describe(overdue.count), measure=overdue.count)


def _rule_of_concern(concern: attention.Concern) -> AlertRule:
    return AlertRule(
        name=concern.name,
        title=concern.title,
        advice=concern.advice,
        find=lambda snapshot: _find_concern(concern),
        page=concern.page,
        query=lambda told: concern.query,
    )


def _find_concern(concern: attention.Concern) -> Iterator[Finding]:
    rows = concern.rows()
    if count := rows.count():
        yield Finding(sentence=lambda: concern.describe(rows), measure=count)


_OF_TABLES = (*map(_rule_of, unfinished.TOLD), *map(_rule_of_concern, attention.CONCERNS))
for _rule in (*ALERT_RULES, *_OF_TABLES):
    register_rule(_rule)


def payment_metrics() -> Iterator[Metric]:
    now = timezone.now()
    doubt = charges_in_doubt(before=now)
    yield single("payments_charges_in_doubt", "Charges whose outcome is not known.", doubt.count)
    yield single(
        "payments_charges_in_doubt_oldest_seconds",
        "Since when the oldest of them is.",
        now - doubt.oldest_at if doubt.oldest_at else 0,
    )
    yield single(
        "payments_charges_failed_last_hour",
        "Payments whose charge to a saved card was declined, or failed for good, within the last hour.",
        find_failed_charges(since=now - _HOUR).count(),
    )
    yield gauge("payments_open", "Payments that are neither paid nor void.", _open_payments(), label="status")
    yield single(
        "payments_refunds_open",
        "Refunds that are asked for and not paid yet.",
        Refund.objects.filter(state__in=(RefundState.REQUESTED, RefundState.SUBMITTED)).count(),
    )
    yield single(
        "payments_stripe_events_waiting",
        "Stripe events that are received and not applied yet.",
        StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).count(),
    )


def _open_payments() -> dict[str, int]:
    is_open = ~Q(status__in=(PaymentStatus.PAID, PaymentStatus.VOID))
    rows = Payment.objects.filter(is_open).values_list("status").annotate(Count("pk")).order_by()
    counts = dict(rows)
    closed = (PaymentStatus.PAID, PaymentStatus.VOID)
    return {status.value: counts.get(status.value, 0) for status in PaymentStatus if status not in closed}


register_metrics("payments", payment_metrics)
