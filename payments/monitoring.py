"""What monitoring is told of money: charges in doubt and charges that fail. No names, no amounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext

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


def charges_in_doubt(*, before: datetime) -> ChargesInDoubt:
    """Count the charges in doubt that were begun before an instant."""
    found = PaymentAttempt.objects.filter(
        state__in=IN_DOUBT, channel=Channel.OFF_SESSION, created_at__lte=before
    ).aggregate(count=Count("pk"), oldest_at=Min("created_at"))
    return ChargesInDoubt(**found)


def find_failing_charges(snapshot: Snapshot) -> Iterator[Finding]:
    failed = find_failed_charges(since=snapshot.taken_at - _HOUR).count()
    if failed > settings.PAYMENTS_ALERT_FAILED_PER_HOUR:
        yield Finding(
            sentence=ngettext(
                "%(failed)d charge failed within the last hour.",
                "%(failed)d charges failed within the last hour.",
                failed,
            )
            % {"failed": failed}
        )


def find_charges_in_doubt(snapshot: Snapshot) -> Iterator[Finding]:
    doubt = charges_in_doubt(before=snapshot.taken_at - settings.PAYMENTS_ALERT_UNKNOWN_AFTER)
    if doubt.oldest_at is not None:
        facts = {
            "count": doubt.count,
            "minutes": (snapshot.taken_at - doubt.oldest_at).total_seconds() / 60,
        }
        sentence = ngettext(
            "Of %(count)d charge the outcome is not known, since %(minutes).0f min.",
            "Of %(count)d charges the outcome is not known, of the oldest since %(minutes).0f min.",
            doubt.count,
        )
        yield Finding(sentence=sentence % facts)


def find_lost_memory(snapshot: Snapshot) -> Iterator[Finding]:
    if memory.is_locked():
        yield Finding(sentence=gettext("Stripe knows of money of ours that this database does not."))


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
        yield Finding(sentence=overdue.sentence)


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
    if rows.exists():
        yield Finding(sentence=concern.describe(rows))


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
